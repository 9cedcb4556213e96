//! The caller's own time among the arguments: a hint, and a true one wherever it is not the point.

use ff_core::call::Call;
use ff_core::types::TimestampMs;

/// Stands for the time at which the call is made.
pub(crate) const CALLERS_NOW: TimestampMs = TimestampMs(i64::MIN);

/// The caller's own time, if the call has one among its arguments.
pub fn callers_now(call: &mut Call) -> Option<&mut TimestampMs> {
    Some(match call {
        Call::CreateExecution { args } => &mut args.now,
        Call::PromoteDelayed { now_ms, .. }
        | Call::ProjectFlowSummary { now_ms, .. }
        | Call::CloseWaitpoint { now_ms, .. }
        | Call::ExpireSuspension { now_ms, .. }
        | Call::ExpireExecution { now_ms, .. }
        | Call::TrimRetention { now_ms, .. }
        | Call::ReconcileBudgetCounters { now_ms, .. }
        | Call::ReconcileQuotaCounters { now_ms, .. }
        | Call::UnblockExecution { now_ms, .. } => now_ms,
        Call::Suspend { args, .. } | Call::SuspendByTriple { args, .. } => &mut args.now,
        Call::DeliverSignal { args } => &mut args.now,
        Call::CancelExecution { args } => &mut args.now,
        Call::IssueClaimGrant { args } => &mut args.now,
        Call::ClaimExecution { args } => &mut args.now,
        Call::IssueReclaimGrant { args } => &mut args.now,
        Call::ClaimResumedExecution { args } => &mut args.now,
        Call::RegisterWorker { args } => &mut args.now,
        Call::HeartbeatWorker { args } => &mut args.now,
        Call::MarkWorkerDead { args } => &mut args.now,
        Call::BlockRoute { args } => &mut args.now,
        Call::BlockExecutionForAdmission { args } => &mut args.now,
        Call::ChangePriority { args } => &mut args.now,
        Call::CompleteExecution { args } => &mut args.now,
        Call::ReplayExecution { args } => &mut args.now,
        Call::CreateFlow { args } => &mut args.now,
        Call::AddExecutionToFlow { args } => &mut args.now,
        Call::StageDependencyEdge { args } => &mut args.now,
        Call::ApplyDependencyToChild { args } => &mut args.now,
        Call::ResolveDependency { args } => &mut args.now,
        Call::CascadeCompletion { payload } => &mut payload.produced_at_ms,
        Call::CancelFlowHeader { args } => &mut args.now,
        Call::CreateBudget { args } => &mut args.now,
        Call::ResetBudget { args } => &mut args.now,
        Call::ReportUsageAdmin { args, .. } => &mut args.now,
        Call::CreateQuotaPolicy { args } => &mut args.now,
        Call::CheckAdmission { args, .. } => &mut args.now,
        _ => return None,
    })
}

/// The call as somebody makes it at this time.
pub(crate) fn made_at(mut call: Call, now: TimestampMs) -> Call {
    if let Some(hint) = callers_now(&mut call)
        && *hint == CALLERS_NOW
    {
        *hint = now;
    }
    call
}
