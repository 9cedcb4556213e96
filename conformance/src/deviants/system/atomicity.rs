//! Deviants that break the clauses under "Atomicity".

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ff_core::call::{Call, Reply};
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::{ContentionKind, EngineError, ValidationKind, backend_context};

use crate::deviants::declare::{around, deviant, reply};
use crate::deviants::fault::{Fault, answer, around, pause, target_of};

deviant!("left-in-a-transaction", SYS_039,
    "Serves nobody any more when a caller is gone while its call is under way." =>
    left_in_a_transaction());

around!(
    "refusals-leave-traces",
    SYS_011,
    "Changes something before it refuses.",
    |subject, call| {
        let target = target_of(&call);
        let answer = subject.ask(call).await;
        if let (Err(_), Some(id)) = (&answer, target) {
            subject.leave_trace(&id).await;
        }
        answer
    }
);

deviant!("losers-win", SYS_012,
    "Tells every caller that its call was the one." => answer(|call, answer| {
    let over = matches!(
        answer,
        Err(EngineError::Contention(ContentionKind::ExecutionNotActive { .. }))
    );
    match call {
        Call::Complete { .. } if over => *answer = Ok(Reply::Complete(())),
        Call::Cancel { .. } if over => *answer = Ok(Reply::Cancel(())),
        _ => {}
    }
}));

deviant!("damaged-is-gone", SYS_045,
    "Takes a record that it cannot decode for none." => answer(|call, answer| {
    if let (Call::DescribeExecution { .. }, Err(EngineError::Validation { kind, .. })) =
        (call, &*answer)
        && *kind == ValidationKind::Corruption
    {
        *answer = Ok(Reply::DescribeExecution(None));
    }
}));

deviant!("contention-is-ownership", SYS_044,
    "Takes a conflict of its storage for one of owners." => conflicts(false));

deviant!("gives-up-after-all", SYS_044,
    "Says that it has given up what it has done." => conflicts(true));

/// Refuses every eighth tag that is set while others are.
fn conflicts(does: bool) -> Fault {
    let busy = Arc::new(AtomicUsize::new(0));
    around(move |subject, call| {
        let busy = Arc::clone(&busy);
        Box::pin(async move {
            if !matches!(call, Call::SetExecutionTag { .. }) {
                return subject.ask(call).await;
            }
            let meets = busy.fetch_add(1, Ordering::SeqCst) % 8 == 7;
            pause().await;
            let answer = if meets && !does {
                Err(EngineError::Contention(ContentionKind::LeaseConflict))
            } else {
                subject.ask(call).await
            };
            busy.fetch_sub(1, Ordering::SeqCst);
            if meets && does {
                return Err(EngineError::Contention(ContentionKind::RetryExhausted));
            }
            answer
        })
    })
}

deviant!("wraps-refusals", SYS_014, "Wraps refusals in a context." => answer(|call, answer| {
    if let Err(error) = answer {
        *error = backend_context(error.clone(), call.method().as_str());
    }
}));

around!(
    "existence-first",
    SYS_015,
    "Looks for the execution before it looks at the key.",
    |subject, call| {
        if let Call::SetExecutionTag { execution_id, key, .. } = &call
            && validate_tag_key(key).is_err()
            && subject.field(execution_id, "lane_id").await.is_none()
        {
            return Err(EngineError::NotFound { entity: "execution" });
        }
        subject.ask(call).await
    }
);

deviant!("tags-nobody", SYS_016, "Takes tags for what is not there." => answer(|call, answer| {
    if matches!(call, Call::SetExecutionTag { .. })
        && matches!(answer, Err(EngineError::NotFound { .. }))
    {
        *answer = Ok(Reply::SetExecutionTag(()));
    }
}));

around!("hooks-complain", SYS_036, "Refuses scanner hooks on what is gone.", |subject, call| {
    if let Call::MarkLeaseExpiredIfDue { execution_id, .. } = &call
        && subject.field(execution_id, "lane_id").await.is_none()
    {
        return Err(EngineError::NotFound { entity: "execution" });
    }
    subject.ask(call).await
});

reply!("loses-an-update", SYS_012, "Loses one of many concurrent tags.",
    ReadExecutionContext(context) => context.tags.remove("app.k7"));

around!(
    "keeps-half-a-creation",
    SYS_011,
    "Stores a refused execution without its tags.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (Err(_), Call::CreateExecution { mut args }) = (&answer, call) {
            args.tags.clear();
            // What is refused for something else stays refused.
            let _ = subject.ask(Call::CreateExecution { args }).await;
        }
        answer
    }
);

/// Notified that a call did not end, unless it is called off.
struct Unended<'a>(&'a AtomicBool, bool);

impl Drop for Unended<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(self.1, Ordering::SeqCst);
    }
}

fn left_in_a_transaction() -> Fault {
    let broken: Arc<AtomicBool> = Arc::default();
    around(move |subject, call| {
        let broken = Arc::clone(&broken);
        Box::pin(async move {
            if broken.load(Ordering::SeqCst) {
                return Err(EngineError::transport("mock", "a transaction has failed"));
            }
            let mut unended = Unended(&broken, true);
            pause().await;
            let answer = subject.ask(call).await;
            unended.1 = false;
            answer
        })
    })
}
