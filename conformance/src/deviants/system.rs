//! Deviants of the chapter on the system.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_core::call::{Call, Method, Reply};
use ff_core::capability::Supports;
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::{ContentionKind, EngineError, backend_context};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{LaneId, TimestampMs};

use super::tampering::{
    Tampering, answer, around, call, capabilities, label, pause, target_of, write,
};
use super::{Deviant, deviant};

pub(super) const DEVIANTS: &[Deviant] = &[
    deviant!(
        "annotates-op",
        "SYS-001",
        "Says `mock.suspend` where the method's name is due.",
        answer(|_, answer| {
            if let Err(EngineError::Unavailable { op }) = answer {
                *op = ff_core::intern(&format!("mock.{op}"));
            }
        })
    ),
    deviant!(
        "acts-all-the-same",
        "SYS-001",
        "Says that it cannot change a priority, and leaves a mark.",
        around(|subject, call| Box::pin(async move {
            if let Call::ChangePriority { args } = &call {
                subject.leave_trace(&args.execution_id).await;
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "claims-everything",
        "SYS-002",
        "Claims methods that it does not answer.",
        capabilities(|c| c.supports = Supports::all())
    ),
    deviant!(
        "half-a-group",
        "SYS-002",
        "Sets a group's flag without its methods.",
        capabilities(|c| c.supports.quota_admin = true)
    ),
    deviant!(
        "left-in-a-transaction",
        "SYS-039",
        "Serves nobody any more when a caller is gone while its call is under way.",
        left_in_a_transaction()
    ),
    deviant!(
        "other-label",
        "SYS-003",
        "Goes by a name that is not its family's.",
        label("something-else")
    ),
    deviant!(
        "host-clock",
        "SYS-004",
        "Dates creations by the host.",
        write(|before, after| {
            if before.is_none() {
                after.created_at = TimestampMs::now();
            }
        })
    ),
    deviant!("trusts-now", "SYS-005", "Dates creations by the caller.", trusts_now()),
    deviant!(
        "tells-seconds",
        "SYS-006",
        "Tells the time in seconds.",
        answer(|_, answer| {
            if let Ok(Reply::ServerTimeMs(now)) = answer {
                *now /= 1_000;
            }
        })
    ),
    deviant!(
        "due-a-moment-later",
        "SYS-007",
        "Lets deadlines pass by a millisecond.",
        around(|subject, call| Box::pin(async move {
            let now = subject.clock.now();
            subject.clock.set(TimestampMs(now.0 - 1));
            let answer = subject.model.dispatch(call).await;
            subject.clock.set(now);
            answer
        }))
    ),
    deviant!(
        "ping-finds-nothing",
        "SYS-008",
        "Takes an answering storage for a silent one.",
        answer(|_, answer| {
            if matches!(answer, Ok(Reply::Ping(()))) {
                *answer = Err(EngineError::transport("mock", "nobody answers"));
            }
        })
    ),
    deviant!(
        "prepares-once",
        "SYS-009",
        "Fails where everything is prepared.",
        only_once(Method::Prepare)
    ),
    deviant!(
        "shuts-down-once",
        "SYS-010",
        "Does not shut down again.",
        only_once(Method::ShutdownPrepare)
    ),
    deviant!(
        "refusals-leave-traces",
        "SYS-011",
        "Changes something before it refuses.",
        around(|subject, call| Box::pin(async move {
            let target = target_of(&call);
            let answer = subject.model.dispatch(call).await;
            if let (Err(_), Some(id)) = (&answer, target) {
                subject.leave_trace(&id).await;
            }
            answer
        }))
    ),
    deviant!(
        "losers-win",
        "SYS-012",
        "Tells every caller that its call was the one.",
        answer(|call, answer| {
            let over = matches!(
                answer,
                Err(EngineError::Contention(ContentionKind::ExecutionNotActive { .. }))
            );
            match call {
                Call::Complete { .. } if over => *answer = Ok(Reply::Complete(())),
                Call::Cancel { .. } if over => *answer = Ok(Reply::Cancel(())),
                _ => {}
            }
        })
    ),
    deviant!(
        "wraps-refusals",
        "SYS-014",
        "Wraps refusals in a context.",
        answer(|call, answer| {
            if let Err(error) = answer {
                *error = backend_context(error.clone(), call.method().as_str());
            }
        })
    ),
    deviant!(
        "existence-first",
        "SYS-015",
        "Looks for the execution before it looks at the key.",
        around(|subject, call| Box::pin(async move {
            if let Call::SetExecutionTag { execution_id, key, .. } = &call
                && validate_tag_key(key).is_err()
                && subject.field(execution_id, "lane_id").await.is_none()
            {
                return Err(EngineError::NotFound { entity: "execution" });
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "tags-nobody",
        "SYS-016",
        "Takes tags for what is not there.",
        answer(|call, answer| {
            if matches!(call, Call::SetExecutionTag { .. })
                && matches!(answer, Err(EngineError::NotFound { .. }))
            {
                *answer = Ok(Reply::SetExecutionTag(()));
            }
        })
    ),
    deviant!(
        "hooks-complain",
        "SYS-036",
        "Refuses scanner hooks on what is gone.",
        around(|subject, call| Box::pin(async move {
            if let Call::MarkLeaseExpiredIfDue { execution_id, .. } = &call
                && subject.field(execution_id, "lane_id").await.is_none()
            {
                return Err(EngineError::NotFound { entity: "execution" });
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "time-moves-things",
        "SYS-027",
        "Marks and promotes when someone looks.",
        around(|subject, call| Box::pin(async move {
            if let Call::DescribeExecution { id } = &call {
                let partition =
                    Partition { family: PartitionFamily::Execution, index: id.partition() };
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
                    subject.model.dispatch(hook).await?;
                }
            }
            subject.model.dispatch(call).await
        }))
    ),
    deviant!(
        "loses-an-update",
        "SYS-012",
        "Loses one of many concurrent tags.",
        answer(|_, answer| {
            if let Ok(Reply::ReadExecutionContext(context)) = answer {
                context.tags.remove("app.k7");
            }
        })
    ),
    deviant!(
        "keeps-half-a-creation",
        "SYS-011",
        "Stores a refused execution without its tags.",
        around(|subject, call| Box::pin(async move {
            let answer = subject.model.dispatch(call.clone()).await;
            if let (Err(_), Call::CreateExecution { mut args }) = (&answer, call) {
                args.tags.clear();
                // What is refused for something else stays refused.
                let _ = subject.model.dispatch(Call::CreateExecution { args }).await;
            }
            answer
        }))
    ),
    deviant!(
        "minds-the-flows-now",
        "SYS-005",
        "Refuses flows from before 1970.",
        answer(|call, answer| {
            if let Call::CreateFlow { args } = call
                && args.now.0 <= 0
            {
                *answer = Err(EngineError::invalid_input("before the epoch"));
            }
        })
    ),
    deviant!(
        "renews-at-the-last-moment",
        "SYS-007",
        "Renews a lease that expires now.",
        a_moment_late(Method::Renew)
    ),
    deviant!(
        "marks-a-moment-later",
        "SYS-007",
        "Does not mark a lease that expires now.",
        a_moment_late(Method::MarkLeaseExpiredIfDue)
    ),
];

/// Told that a call came to no end, unless it is called off.
struct Unended<'a>(&'a AtomicBool, bool);

impl Drop for Unended<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(self.1, Ordering::SeqCst);
    }
}

fn left_in_a_transaction() -> Tampering {
    let broken: Arc<AtomicBool> = Arc::default();
    around(move |subject, call| {
        let broken = Arc::clone(&broken);
        Box::pin(async move {
            if broken.load(Ordering::SeqCst) {
                return Err(EngineError::transport("mock", "a transaction has failed"));
            }
            let mut unended = Unended(&broken, true);
            pause().await;
            let answer = subject.model.dispatch(call).await;
            unended.1 = false;
            answer
        })
    })
}

fn trusts_now() -> Tampering {
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

fn only_once(method: Method) -> Tampering {
    let done = AtomicBool::new(false);
    answer(move |call, answer| {
        if call.method() == method && done.swap(true, Ordering::SeqCst) {
            *answer = Err(EngineError::Timeout { op: method.as_str(), elapsed: Duration::ZERO });
        }
    })
}

/// Lets the clock be a millisecond late for one method.
fn a_moment_late(method: Method) -> Tampering {
    around(move |subject, call| {
        Box::pin(async move {
            if call.method() != method {
                return subject.model.dispatch(call).await;
            }
            let now = subject.clock.now();
            subject.clock.set(TimestampMs(now.0 - 1));
            let answer = subject.model.dispatch(call).await;
            subject.clock.set(now);
            answer
        })
    })
}
