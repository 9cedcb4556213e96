//! What a claim may pass over: the executions that calls which overlapped it were about (CLM-009).

use std::collections::{BTreeMap, BTreeSet};

use ff_core::call::{Call, Reply};
use ff_core::contracts::ClaimForWorkerOutcome;
use ff_core::types::{ExecutionId, FlowId};

use super::event::{Event, History, Passable};
use super::linearizability::Span;
use super::reference::Universe;
use super::step::read_symbol;

/// What each call of a history may pass over: nothing, if it is no claim.
pub(super) fn passable(universe: &Universe, history: &History) -> Vec<Passable> {
    let subjects = Subjects::of(universe, history);
    let about: Vec<Passable> = history.iter().map(|span| subjects.about(&span.op)).collect();
    let of = |claim: &Span<Event>| {
        let mut passable = Passable::default();
        if !matches!(claim.op.call, Call::Claim { .. } | Call::ClaimForWorker { .. }) {
            return passable;
        }
        for (other, about) in history.iter().zip(&about) {
            if overlap(claim, other) && other.start != claim.start {
                passable.about.extend(about.about.iter().cloned());
                passable.unknown += about.unknown;
            }
        }
        passable
    };
    history.iter().map(of).collect()
}

fn overlap(one: &Span<Event>, other: &Span<Event>) -> bool {
    let begins_in_time =
        |one: &Span<Event>, other: &Span<Event>| other.end.is_none_or(|end| one.start < end);
    begins_in_time(one, other) && begins_in_time(other, one)
}

/// What the history tells of who is where.
struct Subjects<'h> {
    universe: &'h Universe,
    /// What each worker instance got.
    claimed: BTreeMap<&'h str, &'h ExecutionId>,
    members: BTreeMap<FlowId, BTreeSet<ExecutionId>>,
}

impl<'h> Subjects<'h> {
    fn of(universe: &'h Universe, history: &'h History) -> Self {
        let mut subjects = Self { universe, claimed: BTreeMap::new(), members: BTreeMap::new() };
        for span in history {
            match (&span.op.call, &span.op.claimed) {
                (Call::Claim { policy, .. }, Some(id)) => {
                    subjects.claimed.insert(policy.worker_instance_id.as_str(), id);
                }
                (Call::ReclaimExecution { args }, _) => {
                    subjects.claimed.insert(args.worker_instance_id.as_str(), &args.execution_id);
                }
                (Call::ClaimExecution { args }, _) => {
                    subjects.claimed.insert(args.worker_instance_id.as_str(), &args.execution_id);
                }
                (Call::ClaimResumedExecution { args }, _) => {
                    subjects.claimed.insert(args.worker_instance_id.as_str(), &args.execution_id);
                }
                (Call::ClaimFromResumeGrant { token }, _) => {
                    let id = &token.grant.execution_id;
                    subjects.claimed.insert(token.worker_instance_id.as_str(), id);
                }
                (Call::AddExecutionToFlow { args }, _) => {
                    let members = subjects.members.entry(args.flow_id).or_default();
                    members.insert(args.execution_id.clone());
                }
                _ => {}
            }
        }
        subjects
    }

    /// The executions that a call was about: those it names, the one whose lease it was under, and all
    /// members of the flows it names.
    fn about(&self, event: &Event) -> Passable {
        let mut about = Passable::default();
        if event.call.method().is_read() {
            return about;
        }
        let got_nothing = match &event.answer {
            Some(Ok(Reply::Claim(None) | Reply::ClaimForWorker(ClaimForWorkerOutcome::NoWork))) => {
                true
            }
            Some(answer) => answer.is_err(),
            None => false,
        };
        let holder = match &event.call {
            Call::Claim { .. } | Call::ClaimForWorker { .. } if got_nothing => return about,
            Call::ClaimForWorker { .. } => {
                match &event.claimed {
                    Some(id) => drop(about.about.insert(id.clone())),
                    None => about.unknown += 1,
                }
                return about;
            }
            Call::Claim { policy, .. } => Some(policy.worker_instance_id.as_str().to_owned()),
            call => {
                let mut call = call.clone();
                let lease = call.handle_mut().and_then(|handle| read_symbol(handle));
                lease.map(|(instance, _)| instance)
            }
        };
        if let Some(holder) = holder {
            match self.claimed.get(holder.as_str()) {
                Some(id) => drop(about.about.insert((*id).clone())),
                None => about.unknown += 1,
            }
        }
        about.about.extend(self.universe.executions_in(&event.call));
        for flow in self.universe.flows_in(&event.call) {
            about.about.extend(self.members.get(&flow).into_iter().flatten().cloned());
        }
        about
    }
}
