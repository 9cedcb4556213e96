//! How every member of a graph ends, from the graph alone: no events, no order, no counters kept.

use ff_core::contracts::{EdgeDependencyPolicy, EdgeGroupSnapshot, EdgeGroupState};
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;

use super::plan::Plan;

/// How each member ends: as planned if enough of its upstreams succeed, else it is skipped.
pub(super) fn fates(plan: &Plan) -> Vec<TerminalOutcome> {
    let mut fates = Vec::new();
    // Edges lead to later members.
    for (at, member) in plan.members.iter().enumerate() {
        let upstreams = above(plan, &fates, at);
        let runs = upstreams.is_empty() || is_satisfied(plan, at, &upstreams);
        fates.push(if runs { member.outcome } else { TerminalOutcome::Skipped });
    }
    fates
}

/// The state of a member's group, if it has one.
pub(super) fn group(
    plan: &Plan,
    fates: &[TerminalOutcome],
    member: usize,
    id: &ExecutionId,
) -> Option<EdgeGroupSnapshot> {
    let policy = plan.members[member].policy;
    if policy.is_none() && plan.edges.iter().all(|edge| edge.to != member) {
        return None;
    }
    let upstreams = above(plan, fates, member);
    let count = |wanted: &dyn Fn(TerminalOutcome) -> bool| {
        let found = upstreams.iter().filter(|fate| wanted(**fate)).count();
        u32::try_from(found).unwrap_or(u32::MAX)
    };
    let satisfied = count(&|fate| fate == TerminalOutcome::Success);
    let skipped = count(&|fate| fate == TerminalOutcome::Skipped);
    let total = count(&|_| true);
    let state = if upstreams.is_empty() {
        EdgeGroupState::Pending
    } else if is_satisfied(plan, member, &upstreams) {
        EdgeGroupState::Satisfied
    } else {
        EdgeGroupState::Impossible
    };
    Some(EdgeGroupSnapshot::new(
        id.clone(),
        policy.unwrap_or_default(),
        total,
        satisfied,
        total - satisfied - skipped,
        skipped,
        0,
        state,
    ))
}

fn above(plan: &Plan, fates: &[TerminalOutcome], member: usize) -> Vec<TerminalOutcome> {
    plan.entering(member).map(|edge| fates[edge.from]).collect()
}

fn is_satisfied(plan: &Plan, member: usize, upstreams: &[TerminalOutcome]) -> bool {
    let successes = upstreams.iter().filter(|fate| **fate == TerminalOutcome::Success).count();
    let needed = match plan.members[member].policy {
        Some(EdgeDependencyPolicy::AnyOf { .. }) => 1,
        Some(EdgeDependencyPolicy::Quorum { k, .. }) => k as usize,
        _ => upstreams.len(),
    };
    successes >= needed
}
