//! What flows and dependencies are given.

use ff_core::backend::CancelFlowPolicy;
use ff_core::contracts::{
    CancelFlowArgs, EdgeDependencyPolicy, ResolveDependencyArgs, StageDependencyEdgeArgs,
};
use ff_core::engine_error::{ConflictKind, EngineError};
use ff_core::state::TerminalOutcome;

use super::Check;
use super::values::{instant, integer, name, optional_text};

/// The largest quorum (DEP-050).
const MAX_QUORUM: u32 = i32::MAX.unsigned_abs();

pub(super) fn stage_edge(args: &StageDependencyEdgeArgs) -> Check {
    if args.upstream_execution_id == args.downstream_execution_id {
        return Err(EngineError::Conflict(ConflictKind::SelfReferencingEdge));
    }
    name("dependency kind", &args.dependency_kind)?;
    optional_text("data reference", args.data_passing_ref.as_deref())?;
    integer("expected_graph_revision", args.expected_graph_revision)?;
    instant("now", args.now)
}

/// The policy that a header names (CAN-001).
pub(crate) fn cancellation_policy(args: &CancelFlowArgs) -> Result<CancelFlowPolicy, EngineError> {
    let given = args.cancellation_policy.as_str();
    given
        .parse()
        .map_err(|_| EngineError::invalid_input(format!("{given:?} is no cancellation policy")))
}

/// The outcome that an upstream's end is counted with (DEP-010).
pub(crate) fn upstream_outcome(
    args: &ResolveDependencyArgs,
) -> Result<TerminalOutcome, EngineError> {
    let given = args.upstream_outcome.as_str();
    match given.parse() {
        Ok(TerminalOutcome::None) | Err(_) => {
            Err(EngineError::invalid_input(format!("{given:?} is no outcome of an execution")))
        }
        Ok(outcome) => Ok(outcome),
    }
}

/// DEP-050.
pub(super) fn group_policy(policy: EdgeDependencyPolicy) -> Check {
    match policy {
        EdgeDependencyPolicy::Quorum { k, .. } if k == 0 || k > MAX_QUORUM => {
            Err(EngineError::invalid_input(format!(
                "a quorum of {k} is not between 1 and {MAX_QUORUM}"
            )))
        }
        _ => Ok(()),
    }
}
