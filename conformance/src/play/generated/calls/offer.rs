//! How calls of one method are drawn, and how often in which situation.

use ff_core::call::{Call, Method};
use ff_core::state::{EligibilityState, OwnershipState, PublicState};
use ff_mock::{Edge, EdgeState, Execution, Flow, Secrets, Waitpoint};
use proptest::strategy::BoxedStrategy;

use crate::play::generated::reference::Reference;

/// How calls of one method are drawn.
pub(crate) struct Offer {
    pub(crate) method: Method,
    /// How often, against the others.
    weight: u32,
    /// In percent of usual, while something holds; the first that holds counts.
    when: [Option<(Holds, u32)>; 2],
    pub(in crate::play::generated) draw: fn(&Reference) -> BoxedStrategy<Call>,
}

type Holds = fn(&Situation) -> bool;

pub(super) const fn offer(
    method: Method,
    weight: u32,
    draw: fn(&Reference) -> BoxedStrategy<Call>,
) -> Offer {
    Offer { method, weight, when: [None; 2], draw }
}

impl Offer {
    /// Most calls say little where there is nothing to say it of, and much where something has just happened.
    pub(super) const fn when(mut self, holds: Holds, percent: u32) -> Self {
        let place = if self.when[0].is_none() { 0 } else { 1 };
        self.when[place] = Some((holds, percent));
        self
    }

    pub(super) fn weight(&self, situation: &Situation) -> u32 {
        let mut conditions = self.when.iter().flatten();
        let percent = conditions.find(|(holds, _)| holds(situation));
        self.weight * percent.map_or(100, |(_, percent)| *percent)
    }
}

/// What there is to talk about.
#[allow(clippy::struct_excessive_bools)] // Each is looked at by itself.
pub(super) struct Situation {
    pub(super) has_few: bool,
    pub(super) has_many: bool,
    pub(super) known: bool,
    pub(super) has_ended: bool,
    pub(super) has_flow: bool,
    pub(super) has_open_flow: bool,
    pub(super) has_pair: bool,
    pub(super) has_edge: bool,
    pub(super) has_staged_edge: bool,
    pub(super) has_applied_edge: bool,
    /// An upstream has ended, and a dependent does not know.
    pub(super) has_untold_end: bool,
    pub(super) is_held: bool,
    pub(super) is_superseded: bool,
    pub(super) is_due: bool,
    pub(super) is_retry_waiting: bool,
    pub(super) is_signed: bool,
    pub(super) has_waitpoint: bool,
    pub(super) is_resumable: bool,
    pub(super) is_granted: bool,
    pub(super) is_left_behind: bool,
    pub(super) is_blocked: bool,
}

impl Situation {
    pub(super) fn of(reference: &Reference) -> Self {
        let snapshot = &reference.snapshot;
        let (alive, wanted) = (reference.alive().count(), reference.universe.alive);
        Self {
            has_few: 2 * alive < wanted,
            has_many: alive > wanted,
            known: snapshot.executions().next().is_some(),
            has_ended: snapshot.executions().any(Execution::is_terminal),
            has_flow: snapshot.flows().next().is_some(),
            has_open_flow: snapshot.flows().any(Flow::is_open),
            has_pair: snapshot.flows().any(|flow| flow.node_count > 1),
            has_edge: snapshot.edges().next().is_some(),
            has_staged_edge: snapshot.edges().any(|edge| edge.state == EdgeState::Staged),
            has_applied_edge: unresolved(reference).next().is_some(),
            has_untold_end: untold(reference).next().is_some(),
            is_held: !reference.live_holders().is_empty(),
            is_superseded: !reference.superseded_holders().is_empty(),
            is_due: reference.is_due(),
            is_retry_waiting: reference.is_retry_waiting(),
            is_signed: snapshot.all::<Secrets>().next().is_some(),
            has_waitpoint: snapshot.all::<Waitpoint>().next().is_some(),
            is_resumable: snapshot.executions().any(is_resumable),
            is_left_behind: snapshot.executions().any(is_left_behind),
            is_blocked: snapshot.executions().any(is_blocked),
            is_granted: snapshot.executions().any(|known| known.reservation().is_some()),
        }
    }
}

/// Whether its attempt can go on.
pub(super) fn is_resumable(execution: &Execution) -> bool {
    execution.public_state() == PublicState::Resumable
}

/// Whether its attempt is open, and nobody holds it.
pub(super) fn is_left_behind(execution: &Execution) -> bool {
    let left = [OwnershipState::LeaseExpiredReclaimable, OwnershipState::LeaseRevoked];
    left.contains(&execution.ownership)
}

/// Whether an admission block keeps it from every claim.
pub(super) fn is_blocked(execution: &Execution) -> bool {
    let blocked = [
        EligibilityState::BlockedByBudget,
        EligibilityState::BlockedByQuota,
        EligibilityState::BlockedByRoute,
    ];
    blocked.contains(&execution.eligibility)
}

/// Edges that wait for their upstream.
pub(super) fn unresolved(reference: &Reference) -> impl Iterator<Item = &Edge> {
    let edges = reference.snapshot.edges();
    edges.filter(|edge| edge.state == EdgeState::Unsatisfied)
}

/// Members that have ended with an edge that waits for it.
pub(super) fn untold(reference: &Reference) -> impl Iterator<Item = &Execution> {
    let upstreams = unresolved(reference).map(|edge| &edge.upstream);
    upstreams
        .filter_map(|id| reference.snapshot.execution(id))
        .filter(|execution| execution.is_terminal())
}
