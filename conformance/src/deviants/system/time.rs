//! Deviants that break the clauses under "Time".

use std::sync::{Arc, Mutex};

use ff_core::call::{Call, Method};
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{LaneId, TimestampMs};

use crate::deviants::declare::{around, deviant, reply};
use crate::deviants::fault::{Fault, answer, call, later_by, write};

reply!("begins-at-one", SYS_046, "Shows a clock that begins at one.",
    ServerTimeMs(now) => *now = (*now).max(1));

deviant!("host-clock", SYS_004, "Dates creations by the host." => write(|before, after| {
    if before.is_none() {
        after.created_at = TimestampMs::now();
    }
}));

deviant!("trusts-now", SYS_005, "Dates creations by the caller." => trusts_now());

around!(
    "promotes-by-the-caller",
    SYS_005,
    "Leaves a mark on what is due to the caller.",
    |subject, call| {
        if let Call::PromoteDelayed { execution_id, now_ms, .. } = &call
            && *now_ms > subject.clock.now()
        {
            subject.leave_trace(execution_id).await;
        }
        subject.ask(call).await
    }
);

reply!("tells-seconds", SYS_006, "Tells the time in seconds.", ServerTimeMs(now) => *now /= 1_000);

around!("due-a-moment-later", SYS_007, "Lets deadlines pass by a millisecond.", |subject, call| {
    let now = subject.clock.now();
    subject.clock.set(TimestampMs(now.0 - 1));
    let answer = subject.ask(call).await;
    subject.clock.set(now);
    answer
});

around!("time-moves-things", SYS_027, "Marks and promotes when someone looks.", |subject, call| {
    if let Call::DescribeExecution { id } = &call {
        let partition = Partition { family: PartitionFamily::Execution, index: id.partition() };
        let hooks = [
            Call::MarkLeaseExpiredIfDue { partition, execution_id: id.clone() },
            Call::PromoteDelayed {
                partition,
                lane: LaneId::new("any"),
                execution_id: id.clone(),
                now_ms: TimestampMs(0),
            },
        ];
        for hook in hooks {
            subject.ask(hook).await?;
        }
    }
    subject.ask(call).await
});

deviant!("minds-the-suspensions-now", SYS_005,
    "Refuses suspensions, signals and grants from before 1970." => answer(|call, answer| {
    let now = match call {
        Call::Suspend { args, .. } | Call::SuspendByTriple { args, .. } => args.now,
        Call::DeliverSignal { args } => args.now,
        Call::IssueClaimGrant { args } => args.now,
        Call::ClaimResumedExecution { args } => args.now,
        Call::CloseWaitpoint { now_ms, .. } | Call::ExpireSuspension { now_ms, .. } => *now_ms,
        _ => return,
    };
    if now.0 <= 0 {
        *answer = Err(EngineError::invalid_input("before the epoch"));
    }
}));

deviant!("minds-the-attempts-now", SYS_005,
    "Refuses attempts, blocks, workers and removals from before 1970." => answer(|call, answer| {
    let now = match call {
        Call::ClaimExecution { args } => args.now,
        Call::IssueReclaimGrant { args } => args.now,
        Call::ChangePriority { args } => args.now,
        Call::CompleteExecution { args } => args.now,
        Call::RegisterWorker { args } => args.now,
        Call::HeartbeatWorker { args } => args.now,
        Call::MarkWorkerDead { args } => args.now,
        Call::BlockRoute { args } => args.now,
        Call::BlockExecutionForAdmission { args } => args.now,
        Call::UnblockExecution { now_ms, .. }
        | Call::ExpireExecution { now_ms, .. }
        | Call::TrimRetention { now_ms, .. } => *now_ms,
        _ => return,
    };
    if now.0 <= 0 {
        *answer = Err(EngineError::invalid_input("before the epoch"));
    }
}));

deviant!("minds-the-flows-now", SYS_005,
    "Refuses flows, members and summaries from before 1970." => answer(|call, answer| {
    let now = match call {
        Call::CreateFlow { args } => args.now,
        Call::AddExecutionToFlow { args } => args.now,
        Call::ProjectFlowSummary { now_ms, .. } => *now_ms,
        _ => return,
    };
    if now.0 <= 0 {
        *answer = Err(EngineError::invalid_input("before the epoch"));
    }
}));

deviant!("minds-the-meters-now", SYS_005,
    "Refuses budgets, reports and admissions from before 1970." => answer(|call, answer| {
    let now = match call {
        Call::CreateBudget { args } => args.now,
        Call::ResetBudget { args } => args.now,
        Call::ReportUsageAdmin { args, .. } => args.now,
        Call::CreateQuotaPolicy { args } => args.now,
        Call::CheckAdmission { args, .. } => args.now,
        Call::ReconcileBudgetCounters { now_ms, .. }
        | Call::ReconcileQuotaCounters { now_ms, .. } => *now_ms,
        _ => return,
    };
    if now.0 <= 0 {
        *answer = Err(EngineError::invalid_input("before the epoch"));
    }
}));

around!(
    "callers-tell-the-time",
    SYS_005,
    "Takes the caller's time for that of the clock.",
    |subject, call| {
        let told = match &call {
            Call::PromoteDelayed { now_ms, .. } => *now_ms,
            Call::CascadeCompletion { payload } => payload.produced_at_ms,
            Call::CreateExecution { args } => args.now,
            Call::ReplayExecution { args } => args.now,
            Call::CancelExecution { args } => args.now,
            Call::StageDependencyEdge { args } => args.now,
            Call::ApplyDependencyToChild { args } => args.now,
            Call::ResolveDependency { args } => args.now,
            Call::CancelFlowHeader { args } => args.now,
            _ => return subject.ask(call).await,
        };
        let now = subject.clock.now();
        subject.clock.set(told);
        let answer = subject.ask(call).await;
        subject.clock.set(now);
        answer
    }
);

deviant!("renews-at-the-last-moment", SYS_007, "Renews a lease that expires now." =>
    a_moment_late(Method::Renew));

deviant!("marks-a-moment-later", SYS_007, "Does not mark a lease that expires now." =>
    a_moment_late(Method::MarkLeaseExpiredIfDue));

fn trusts_now() -> Fault {
    let told = Arc::new(Mutex::new(TimestampMs(0)));
    let heard = Arc::clone(&told);
    call(move |call| {
        if let Call::CreateExecution { args } = call
            && let Ok(mut told) = told.lock()
        {
            *told = args.now;
        }
    })
    .write(move |before, after| {
        if let (None, Ok(heard)) = (before, heard.lock()) {
            after.created_at = *heard;
        }
    })
}

/// Lets the clock be a millisecond late for one method.
fn a_moment_late(method: Method) -> Fault {
    later_by(method, -1)
}
