//! The groups of edges that enter a member, and their policies.

use ff_core::contracts::{EdgeDependencyPolicy, EdgeGroupState, SetEdgeGroupPolicyResult};
use ff_core::engine_error::{ConflictKind, EngineError, StateKind};
use ff_core::state::TerminalOutcome;
use ff_core::types::{ExecutionId, FlowId};

use super::{open_flow, snapshot};
use crate::engine::Rule;
use crate::records::{Edge, EdgeGroup, EdgeState, Execution};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// Says how many of a member's dependencies must succeed (DEP-001, DEP-002, DEP-050).
pub(crate) async fn set_policy<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
    downstream: &ExecutionId,
    policy: EdgeDependencyPolicy,
) -> Rule<SetEdgeGroupPolicyResult> {
    let flow = open_flow(tx, flow).await?;
    let member = tx.get(Execution::at(downstream)).await?;
    if member.is_none_or(|member| member.flow != Some(flow.id)) {
        return Err(EngineError::State(StateKind::ExecutionNotInFlow).into());
    }
    let staged = tx.get(Edge::IN.of(&flow.id).and(downstream)).await?;
    if let Some(edge) = staged.first() {
        let existing = snapshot(edge);
        return Err(
            EngineError::Conflict(ConflictKind::DependencyAlreadyExists { existing }).into()
        );
    }
    if let Some(group) = tx.get(EdgeGroup::at(&flow.id, downstream)).await?
        && group.policy == policy
    {
        return Ok(SetEdgeGroupPolicyResult::AlreadySet);
    }
    let group = EdgeGroup { policy, ..EdgeGroup::new(flow.id, downstream.clone()) };
    tx.put(&group);
    Ok(SetEdgeGroupPolicyResult::Set)
}

/// Lets a skipped member's group wait again for the upstreams that it lost (DEP-037). Whether the
/// member has to.
pub(crate) async fn reopen<T: Tx>(
    tx: &mut Session<T>,
    flow: &FlowId,
    member: &ExecutionId,
) -> Rule<bool> {
    let Some(mut group) = tx.get(EdgeGroup::at(flow, member)).await? else {
        return Ok(false);
    };
    for mut edge in tx.get(Edge::IN.of(flow).and(member)).await? {
        if edge.state == EdgeState::Impossible {
            edge.state = EdgeState::Unsatisfied;
            tx.put(&edge);
        }
    }
    group.running_count += group.failed_count + group.skipped_count;
    group.failed_count = 0;
    group.skipped_count = 0;
    group.pending_cancel = None;
    group.noted_at = None;
    group.group_state = match group.decided() {
        EdgeGroupState::Satisfied => EdgeGroupState::Satisfied,
        _ => EdgeGroupState::Pending,
    };
    tx.put(&group);
    Ok(group.group_state == EdgeGroupState::Pending)
}

/// Whether an execution is a member with a satisfied group.
pub(crate) async fn is_satisfied<T: Tx>(tx: &mut Session<T>, execution: &Execution) -> Rule<bool> {
    let group = match execution.flow {
        Some(flow) => tx.get(EdgeGroup::at(&flow, &execution.id)).await?,
        None => None,
    };
    Ok(group.is_some_and(|group| group.group_state == EdgeGroupState::Satisfied))
}

/// The group that a staged edge belongs to.
pub(super) async fn group_of<T: Tx>(tx: &mut Session<T>, edge: &Edge) -> Rule<EdgeGroup> {
    let group = tx.get(EdgeGroup::at(&edge.flow, &edge.downstream)).await?;
    Ok(group.ok_or_else(|| StoreError::Corrupt {
        record: "edge group",
        detail: format!("there is none for edge {}", edge.id),
    })?)
}

impl EdgeGroup {
    /// One more edge waits for its upstream; an all-of group waits for it as well, unless its member
    /// has ended (GRA-016, GRA-022).
    pub(super) fn apply(&mut self, ended: bool) {
        self.running_count += 1;
        let reopens = self.policy == EdgeDependencyPolicy::AllOf
            && self.group_state == EdgeGroupState::Satisfied
            && !ended;
        if reopens {
            self.group_state = EdgeGroupState::Pending;
        }
    }

    /// Counts an upstream's end (DEP-006). The state it fires in, if this end decides it (DEP-007).
    pub(super) fn count(
        &mut self,
        outcome: TerminalOutcome,
    ) -> Result<Option<EdgeGroupState>, StoreError> {
        self.running_count = self.running_count.checked_sub(1).ok_or_else(|| {
            let detail = format!("the one of {} counts no running edge", self.downstream);
            StoreError::Corrupt { record: "edge group", detail }
        })?;
        match outcome {
            TerminalOutcome::Success => self.satisfied_count += 1,
            TerminalOutcome::Skipped => self.skipped_count += 1,
            _ => self.failed_count += 1,
        }
        Ok(self.fire())
    }

    /// Leaves the pending state, if the counts decide.
    pub(super) fn fire(&mut self) -> Option<EdgeGroupState> {
        let decided = self.decided();
        if self.group_state != EdgeGroupState::Pending || decided == EdgeGroupState::Pending {
            return None;
        }
        self.group_state = decided;
        Some(decided)
    }

    /// What the counts say, satisfied before impossible (DEP-006).
    fn decided(&self) -> EdgeGroupState {
        let total = i64::from(self.total());
        let satisfied = i64::from(self.satisfied_count);
        let lost = i64::from(self.failed_count) + i64::from(self.skipped_count);
        let (is_satisfied, is_impossible) = match self.policy {
            EdgeDependencyPolicy::AnyOf { .. } => (satisfied >= 1, total > 0 && lost == total),
            EdgeDependencyPolicy::Quorum { k, .. } => {
                let needed = i64::from(k);
                (satisfied >= needed, lost > total - needed)
            }
            _ => (total > 0 && satisfied == total, lost >= 1),
        };
        if is_satisfied {
            EdgeGroupState::Satisfied
        } else if is_impossible {
            EdgeGroupState::Impossible
        } else {
            EdgeGroupState::Pending
        }
    }
}
