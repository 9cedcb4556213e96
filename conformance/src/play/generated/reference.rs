//! The model as a generated sequence sees it: what exists, who holds what, what time it is.

use std::collections::BTreeSet;
use std::fmt;

use ff_core::backend::{BackendTag, CapabilitySet, ClaimPolicy, Handle, HandlePayload};
use ff_core::call::{Call, Reply};
use ff_core::clock::ManualClock;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, PartitionKey};
use ff_core::state::{LifecyclePhase, OwnershipState};
use ff_core::types::{
    BudgetId, EdgeId, ExecutionId, FlowId, LaneId, QuotaPolicyId, TimestampMs, WorkerId,
    WorkerInstanceId,
};
use ff_mock::{AttemptClock, Execution, Settings, Snapshot, Take};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::names::{Minted, Thing, leaves, plain};
use super::observed::Known;
use super::step::{ELSEWHERE, Given, bound, claimant, read_symbol};
use crate::stage::{MOST_ROUNDS, made_at, plain_execution};

pub(crate) type Answer = Result<Reply, EngineError>;

/// How much there is to talk about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Universe {
    pub(crate) executions: usize,
    /// Executions that have not ended; when there are this many, few are added.
    pub(crate) alive: usize,
    pub(crate) flows: usize,
    pub(crate) lanes: usize,
    pub(crate) edges: usize,
    /// Places of methods that are called more often than others.
    pub(crate) favoured: [u32; 3],
    pub(crate) partitions: PartitionConfig,
}

impl Universe {
    /// What sequences on a deployment with this layout talk about.
    pub(crate) fn of(partitions: PartitionConfig) -> Self {
        Self {
            executions: 24,
            alive: 8,
            flows: 6,
            lanes: 2,
            edges: 12,
            favoured: [0; 3],
            partitions,
        }
    }

    /// A universe of its own for a sequence or history: some are mostly about one execution, others
    /// about many, and each favours some methods. Where all is equally likely, little is ever deep.
    pub(crate) fn varied(self, alive: &[usize], number: u64) -> Self {
        let mut random = StdRng::seed_from_u64(number);
        Self {
            alive: alive[random.random_range(0..alive.len())],
            favoured: random.random(),
            ..self
        }
    }

    /// The id of an execution by number: every fourth is of no flow, as many could join the third
    /// flow, the others all other flows.
    pub(crate) fn execution(&self, number: usize) -> ExecutionId {
        let uuid = Thing::Execution.uuid(number);
        let flow = match number % 4 {
            0 => {
                let lane = LaneId::new("a");
                return ExecutionId::deterministic_solo(&lane, &self.partitions, uuid);
            }
            3 => flow(3),
            _ => flow(1),
        };
        ExecutionId::deterministic_for_flow(&flow, &self.partitions, uuid)
    }

    pub(crate) fn executions(&self) -> Vec<ExecutionId> {
        let numbers = 1..=self.executions;
        numbers.map(|number| self.execution(number)).collect()
    }

    /// The executions that a call names.
    pub(crate) fn executions_in(&self, call: &Call) -> Vec<ExecutionId> {
        let numbers = numbers_in(call, 'e').into_iter();
        let ours = numbers.filter(|number| (1..=self.executions).contains(number));
        ours.map(|number| self.execution(number)).collect()
    }

    /// The flows that a call names.
    pub(crate) fn flows_in(&self, call: &Call) -> Vec<FlowId> {
        let numbers = numbers_in(call, 'f').into_iter();
        let ours = numbers.filter(|number| (1..=self.flows).contains(number));
        ours.map(flow).collect()
    }

    /// The budgets that a call names.
    pub(crate) fn budgets_in(call: &Call) -> Vec<BudgetId> {
        numbers_in(call, 'b').into_iter().map(budget).collect()
    }

    /// The quota policies that a call names.
    pub(crate) fn quotas_in(call: &Call) -> Vec<QuotaPolicyId> {
        numbers_in(call, 'q').into_iter().map(quota).collect()
    }

    pub(crate) fn flows(&self) -> Vec<FlowId> {
        (1..=self.flows).map(flow).collect()
    }

    pub(crate) fn edges(&self) -> Vec<EdgeId> {
        let numbers = 1..=self.edges;
        numbers.map(|number| EdgeId::from_uuid(Thing::Edge.uuid(number))).collect()
    }

    pub(crate) fn lanes(&self) -> Vec<LaneId> {
        ["a", "b", "c"][..self.lanes].iter().map(|lane| LaneId::new(*lane)).collect()
    }
}

/// The numbers of the things with this letter that a call names.
fn numbers_in(call: &Call, letter: char) -> Vec<usize> {
    let named = leaves(&plain(call, &mut Minted::default())).into_iter();
    let number = |(_, value): (String, String)| value.strip_prefix(letter)?.parse().ok();
    named.filter_map(number).collect()
}

pub(crate) fn flow(number: usize) -> FlowId {
    FlowId::from_uuid(Thing::Flow.uuid(number))
}

pub(crate) fn budget(number: usize) -> BudgetId {
    BudgetId::from_uuid(Thing::Budget.uuid(number))
}

pub(crate) fn quota(number: usize) -> QuotaPolicyId {
    QuotaPolicyId::from_uuid(Thing::Quota.uuid(number))
}

/// The model at some point of a sequence.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) snapshot: Snapshot,
    pub(crate) now: TimestampMs,
    pub(crate) universe: Universe,
    pub(crate) given: Given,
    /// How many claims have been made.
    pub(crate) claims: usize,
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Reference {
    /// Nothing exists yet, but for a lease of another deployment.
    pub(crate) fn new(universe: Universe) -> Self {
        let empty = Self {
            snapshot: Snapshot::default(),
            now: ManualClock::START,
            universe,
            given: Given::default(),
            claims: 0,
        };
        let mut elsewhere = empty.clone();
        for call in claimed_elsewhere(universe.partitions) {
            if let Some((_, after)) = elsewhere.answer(&call, empty.now, Take::First) {
                elsewhere = after;
            }
        }
        Self { given: elsewhere.given, ..empty }
    }

    /// The answer to a call at this time, and the model after it; `None` if the call names a lease
    /// that there is not. A claim takes what `take` says.
    pub(crate) fn answer(
        &self,
        call: &Call,
        now: TimestampMs,
        take: Take,
    ) -> Option<(Answer, Self)> {
        let settings = self.settings();
        let bound = made_at(bound(call, &self.given)?, now);
        let (answer, snapshot) = self.snapshot.after(settings, &bound, now, take);
        let mut after = Self { snapshot, ..self.clone() };
        after.claims += usize::from(claimant(call).is_some());
        after.given.learn(call, &answer);
        Some((answer, after))
    }

    /// What is due, by partition, in the partitions that executions can be in.
    pub(crate) fn due(&self) -> Vec<(PartitionKey, Vec<Call>)> {
        let ids = self.universe.executions();
        let partitions: BTreeSet<u16> = ids.iter().map(ExecutionId::partition).collect();
        let due = |index: u16| {
            let family = PartitionFamily::Flow;
            let key = PartitionKey::from(&Partition { family, index });
            let calls = self.snapshot.due(self.settings(), &key, self.now, usize::from(u16::MAX));
            (key, calls.expect("the partitions exist, and what is due can be read"))
        };
        partitions.into_iter().map(due).collect()
    }

    /// The model once all that is due has been seen to.
    pub(crate) fn settled(mut self) -> Self {
        for _ in 0..MOST_ROUNDS {
            let due: Vec<Call> = self.due().into_iter().flat_map(|(_, calls)| calls).collect();
            if due.is_empty() {
                break;
            }
            for call in due {
                if let Some((_, after)) = self.answer(&call, self.now, Take::First) {
                    self = after;
                }
            }
        }
        self
    }

    fn settings(&self) -> Settings {
        Settings::new(BackendTag::Mock, self.universe.partitions)
    }

    /// The executions that a call is about, as far as it says, or those that it could be about.
    pub(crate) fn subjects(&self, call: &Call) -> Vec<ExecutionId> {
        let mut call = call.clone();
        if let Some(handle) = call.handle_mut() {
            let lease =
                read_symbol(handle).and_then(|(instance, _)| self.given.leases.get(&instance));
            let payload = lease.and_then(|lease| HandlePayload::open(BackendTag::Mock, lease).ok());
            return payload.map(|payload| payload.execution_id).into_iter().collect();
        }
        let named = self.universe.executions_in(&call);
        if named.is_empty() && !call.method().is_read() {
            return self.alive().map(|execution| execution.id.clone()).collect();
        }
        named
    }

    /// Every name that a lease was ever got under here.
    pub(crate) fn holders(&self) -> Vec<String> {
        let here = self.given.leases.keys().filter(|name| *name != ELSEWHERE);
        here.cloned().collect()
    }

    /// The names that leases are held under now, due or not.
    pub(crate) fn live_holders(&self) -> Vec<String> {
        let leased = |execution: &&Execution| execution.ownership == OwnershipState::Leased;
        let leases = self.snapshot.executions().filter(leased);
        let holder = |execution: &Execution| {
            let lease = execution.lease.as_ref()?;
            Some(lease.worker_instance.as_str().to_owned())
        };
        let holders = leases.filter_map(holder);
        holders.filter(|name| self.given.leases.contains_key(name)).collect()
    }

    /// The leases that are held, by their names, with the executions that they hold.
    pub(crate) fn held(&self) -> Vec<(String, ExecutionId)> {
        let execution = |name: String| {
            let lease = self.given.leases.get(&name)?;
            let payload = HandlePayload::open(BackendTag::Mock, lease).ok()?;
            Some((name, payload.execution_id))
        };
        self.live_holders().into_iter().filter_map(execution).collect()
    }

    /// The names of leases that were given up for a suspension which lasts, or were revoked.
    pub(crate) fn set_aside_holders(&self) -> Vec<String> {
        let is_set_aside = |handle: &Handle| {
            let payload = HandlePayload::open(BackendTag::Mock, handle).ok()?;
            let execution = self.snapshot.execution(&payload.execution_id)?;
            let is_revoked = execution.ownership == OwnershipState::LeaseRevoked;
            (is_revoked || execution.suspended().is_some()).then_some(())
        };
        let set_aside =
            |(name, handle): (&String, &Handle)| is_set_aside(handle).map(|()| name.clone());
        self.given.leases.iter().filter_map(set_aside).collect()
    }

    /// The names that leases were got under which are over, on executions that another holds.
    pub(crate) fn superseded_holders(&self) -> Vec<String> {
        let live = self.live_holders();
        let superseded = |(name, handle): (&String, &Handle)| {
            let payload = HandlePayload::open(BackendTag::Mock, handle).ok()?;
            let execution = self.snapshot.execution(&payload.execution_id)?;
            let leased = execution.ownership == OwnershipState::Leased;
            (leased && !live.contains(name)).then(|| name.clone())
        };
        self.given.leases.iter().filter_map(superseded).collect()
    }

    /// What exists.
    pub(crate) fn known(&self) -> Known {
        let executions = || self.snapshot.executions();
        let member = |execution: &Execution| Some((execution.flow?, execution.id.clone()));
        Known {
            executions: executions().map(|execution| execution.id.clone()).collect(),
            flows: self.snapshot.flows().map(|flow| flow.id).collect(),
            members: executions().filter_map(member).collect(),
            ..Known::default()
        }
    }

    /// The executions with which something can still happen.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Execution> {
        self.snapshot.executions().filter(|execution| {
            let lapsed = execution.ownership == OwnershipState::LeaseExpiredReclaimable;
            !lapsed && execution.phase != LifecyclePhase::Terminal
        })
    }

    /// Whether something delayed could be promoted.
    pub(crate) fn is_due(&self) -> bool {
        let mut executions = self.snapshot.executions();
        executions.any(|execution| execution.delay_until.is_some_and(|until| until <= self.now))
    }

    /// Whether another attempt could begin.
    pub(crate) fn is_retry_waiting(&self) -> bool {
        let mut executions = self.snapshot.executions();
        executions.any(|execution| execution.is_claimable() && execution.total_attempts > 0)
    }

    /// The milliseconds until each delay is over.
    pub(crate) fn delays(&self) -> Vec<u64> {
        self.left(|execution| execution.delay_until)
    }

    /// The milliseconds until each lease is due.
    pub(crate) fn lease_ends(&self) -> Vec<u64> {
        self.left(|execution| Some(execution.lease.as_ref()?.expires_at))
    }

    /// The milliseconds until each attempt and each execution is out of time.
    pub(crate) fn limits(&self) -> Vec<u64> {
        let attempts = self.left(|execution| match execution.attempt_clock {
            Some(AttemptClock::Runs(until)) => Some(until),
            _ => None,
        });
        let deadlines = self.left(|execution| execution.deadline_at);
        attempts.into_iter().chain(deadlines).collect()
    }

    fn left(&self, until: impl Fn(&Execution) -> Option<TimestampMs>) -> Vec<u64> {
        let times = self.snapshot.executions().filter_map(until);
        let left = times.filter_map(|at| u64::try_from(at.0 - self.now.0).ok());
        left.filter(|left| *left > 0).collect()
    }
}

/// A claim with nothing special about it.
pub(crate) fn plain_claim(lane: &LaneId, instance: &str) -> Call {
    let instance = WorkerInstanceId::new(instance);
    Call::Claim {
        lane: lane.clone(),
        capabilities: CapabilitySet::new(Vec::<String>::new()),
        policy: ClaimPolicy::new(WorkerId::new("worker"), instance, 30_000, None),
    }
}

/// The calls that make a lease of an execution which only the deployment they are made on knows.
pub(crate) fn claimed_elsewhere(partitions: PartitionConfig) -> [Call; 2] {
    let lane = LaneId::new(ELSEWHERE);
    let uuid = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, ELSEWHERE.as_bytes());
    let id = ExecutionId::deterministic_solo(&lane, &partitions, uuid);
    let args = plain_execution(id, lane.clone());
    [Call::CreateExecution { args }, plain_claim(&lane, ELSEWHERE)]
}
