//! Histories: calls of several workers that overlapped, and what the model makes of them.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use ff_core::call::{Call, Method, Reply};
use ff_core::types::{ExecutionId, TimestampMs};
use ff_mock::{Queues, Take};

use super::event::{Event, History};
use super::linearizability::{Judgement, Object, judge};
use super::names::{Minted, canonical, leaves, plain};
use super::overlap::passable;
use super::reference::{Answer, Reference};
use super::step::{claimant, read_symbol};

impl Object for Reference {
    type Op = Event;

    fn after(&self, event: &Event) -> Vec<Self> {
        let mut states = Vec::new();
        for now in &event.times {
            for take in self.choices(event, *now) {
                let Some((answer, after)) = self.answer(&event.call, *now, take) else {
                    continue;
                };
                let idle = event.answer.is_none() && after.fingerprint() == self.fingerprint();
                if may_be(&answer, event) && after.shows_claim(event) && !idle {
                    states.push(after);
                }
            }
        }
        states
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.snapshot.fingerprint().hash(&mut hasher);
        for (instance, handle) in &self.given.leases {
            (instance, handle.opaque.as_bytes()).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Reference {
    /// What a claim could take at this time, for oneself or for a worker; none if the call is none.
    pub(super) fn claimable(
        &self,
        call: &Call,
        now: TimestampMs,
    ) -> Option<BTreeMap<u16, Vec<ExecutionId>>> {
        Some(match call {
            Call::Claim { lane, capabilities, .. } => {
                let offered = capabilities.tokens.iter().cloned().collect();
                self.snapshot.claimable(Queues::Fresh, lane, &offered, now)
            }
            Call::ClaimForWorker { args } => {
                let offered = &args.worker_capabilities;
                self.snapshot.claimable(Queues::All, &args.lane_id, offered, now)
            }
            _ => return None,
        })
    }

    /// What a claim may have taken; what is likeliest comes last.
    fn choices(&self, event: &Event, now: TimestampMs) -> Vec<Take> {
        let Some(claimable) = self.claimable(&event.call, now) else {
            return vec![Take::First];
        };
        let mut choices = Vec::new();
        if event.passable.allows_none(claimable.values().flatten()) {
            choices.push(Take::Nothing);
        }
        let queues = claimable.values();
        let reached = queues.flat_map(|queue| event.passable.reached(queue));
        match &event.claimed {
            Some(id) => {
                choices.extend(reached.filter(|reached| *reached == id).cloned().map(Take::Only));
            }
            None => choices.extend(reached.cloned().map(Take::Only)),
        }
        // A refused claim takes nothing, whatever there is.
        if choices.is_empty() {
            choices.push(Take::First);
        }
        choices.reverse();
        choices
    }
}

impl Reference {
    /// Whether a claim got what it is known to have got.
    fn shows_claim(&self, event: &Event) -> bool {
        let (Some(id), Call::Claim { policy, .. }) = (&event.claimed, &event.call) else {
            return true;
        };
        let lease = self.snapshot.execution(id).and_then(|execution| execution.lease.as_ref());
        lease.is_some_and(|lease| lease.worker_instance == policy.worker_instance_id)
    }
}

/// Whether the model's answer is what the worker saw, if it saw one.
fn may_be(answer: &Answer, event: &Event) -> bool {
    let (Some(seen), Some(answered)) = (&event.seen, &event.answer) else {
        return true;
    };
    match (answer, answered) {
        (Ok(Reply::Claim(one)), Ok(Reply::Claim(other))) => one.is_some() == other.is_some(),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        _ => canonical(answer, &mut Minted::Alike) == *seen,
    }
}

/// Judges a history that began in `initial`, each group of related objects by itself. Returns the
/// first group that is not linearizable, or that could not be judged within the budget.
pub(crate) fn examine(
    initial: &Reference,
    history: &History,
    budget: u64,
) -> Result<(), (Judgement, History)> {
    let mut history = history.clone();
    // A part of the history, and one in which answers are forgotten, would show less.
    for (place, passable) in passable(&initial.universe, &history).into_iter().enumerate() {
        history[place].op.passable = passable;
    }
    for group in groups(&history) {
        match judge(initial, &group, &mut budget.clone()) {
            Judgement::Linearizable(_) => {}
            other => return Err((other, group)),
        }
    }
    Ok(())
}

/// The calls in groups that have no object in common. Linearizability is local: a history is
/// linearizable exactly if each of these is.
fn groups(history: &History) -> Vec<History> {
    let is_made = |method| history.iter().any(|span| span.op.call.method() == method);
    let (lanes_listed, flows_listed) = (is_made(Method::ListLanes), is_made(Method::ListFlows));
    let mut lanes = BTreeMap::new();
    for span in history {
        let call = &span.op.call;
        let lane = match call {
            Call::Claim { lane, .. } => lane,
            Call::ClaimExecution { args } => &args.lane_id,
            Call::ReclaimExecution { args } => &args.lane_id,
            Call::ClaimResumedExecution { args } => &args.lane_id,
            Call::ClaimFromResumeGrant { token } => &token.grant.lane_id,
            _ => continue,
        };
        lanes.extend(claimant(call).map(|instance| (instance.as_str(), lane.as_str())));
    }
    let listed_partitions: BTreeSet<&str> = history
        .iter()
        .filter_map(|span| match &span.op.call {
            Call::ListExecutions { partition, .. } => Some(partition.as_str()),
            _ => None,
        })
        .collect();
    let mut groups: Vec<(BTreeSet<String>, History)> = Vec::new();
    for span in history {
        let mut objects = objects(&span.op.call, &lanes);
        objects.retain(|object| match object.split_once(' ') {
            Some(("partition", key)) => listed_partitions.contains(key),
            Some(("lanes", _)) => lanes_listed,
            Some(("flows", _)) => flows_listed,
            _ => true,
        });
        let (related, others): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|(known, _)| !known.is_disjoint(&objects));
        groups = others;
        let mut merged = vec![span.clone()];
        for (known, calls) in related {
            objects.extend(known);
            merged.extend(calls);
        }
        groups.push((objects, merged));
    }
    let ordered = groups.into_iter().map(|(_, mut calls)| {
        calls.sort_by_key(|span| span.start);
        calls
    });
    ordered.collect()
}

/// They do not look at the execution that they name.
const NAMED_ONLY: [Method; 4] =
    [Method::RecordSpend, Method::ReleaseBudget, Method::CheckAdmission, Method::ReleaseAdmission];

/// All that calls name: a pass looks at those of a partition.
const BUDGETS: [&str; 3] = ["b1", "b2", "b3"];
const QUOTAS: [&str; 2] = ["q1", "q2"];

/// What a call reads or changes: things by their names, lanes, idempotency keys, and the lists that
/// it adds to.
fn objects(call: &Call, lanes: &BTreeMap<&str, &str>) -> BTreeSet<String> {
    let mut objects = BTreeSet::new();
    let mut bare = call.clone();
    if let Some(handle) = bare.handle_mut()
        && let Some((instance, _)) = read_symbol(handle)
    {
        let lane = lanes.get(instance.as_str()).copied().unwrap_or_default();
        objects.insert(format!("lane {lane}"));
    }
    objects.extend(named_things(call));
    if NAMED_ONLY.contains(&call.method()) {
        objects.retain(|object| !object.starts_with('e'));
    }
    match call {
        Call::CreateExecution { args } => {
            objects.insert(format!("lane {}", args.lane_id));
            objects.insert("lanes".to_owned() + " ");
            objects.insert(format!("partition {{fp:{}}}", args.execution_id.partition()));
            if let Some(key) = &args.idempotency_key {
                objects.insert(format!("key {} {key}", args.namespace.as_str()));
            }
        }
        Call::Claim { lane, .. } => drop(objects.insert(format!("lane {lane}"))),
        Call::ClaimForWorker { args } => drop(objects.insert(format!("lane {}", args.lane_id))),
        Call::TrimRetention { lane_id, .. } => drop(objects.insert(format!("lane {lane_id}"))),
        Call::ScanEligibleExecutions { args } => {
            objects.insert(format!("lane {}", args.lane_id));
        }
        Call::ListExecutions { partition, .. } => {
            objects.insert(format!("partition {}", partition.as_str()));
        }
        Call::ListLanes { .. } => drop(objects.insert("lanes".to_owned() + " ")),
        Call::CreateFlow { .. }
        | Call::CancelFlow { .. }
        | Call::CancelFlowHeader { .. }
        | Call::ListFlows { .. } => {
            objects.insert("flows ".to_owned());
        }
        Call::ReconcileBudgetCounters { .. } => objects.extend(BUDGETS.map(str::to_owned)),
        Call::ReconcileQuotaCounters { .. } => objects.extend(QUOTAS.map(str::to_owned)),
        _ => {}
    }
    objects
}

/// The names of the executions, flows, waitpoints, budgets and policies in a call.
pub(super) fn named_things(call: &Call) -> BTreeSet<String> {
    let is_thing = |value: &String| {
        let mut letters = value.chars();
        matches!(letters.next(), Some('b' | 'e' | 'f' | 'q' | 'w'))
            && letters.as_str().parse::<usize>().is_ok()
    };
    let values = leaves(&plain(call, &mut Minted::Alike)).into_iter();
    values.map(|(_, value)| value).filter(is_thing).collect()
}
