//! Deviants that break the clauses under "Availability".

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ff_core::backend::CancelFlowWait;
use ff_core::call::{Call, Method, Reply};
use ff_core::engine_error::EngineError;

use crate::deviants::declare::{around, deviant, request};
use crate::deviants::fault::{Fault, answer, around as around_calls, blames, capabilities, label};

/// Says that a method is not there, by this name.
fn lacks_summaries(op: &'static str) -> Fault {
    answer(move |call, answer| {
        if call.method() == Method::ReadSummary {
            *answer = Err(EngineError::Unavailable { op });
        }
    })
}

deviant!("annotates-op", SYS_001,
    "Says `mock.read_summary` where the method's name is due." => lacks_summaries("mock.read_summary")
        .claiming(|claims| claims.supports.read_summary = false));

deviant!("acts-all-the-same", SYS_001,
    "Says that it cannot record a spend, and leaves a mark." => around_calls(|subject, call| {
    Box::pin(async move {
        if let Call::RecordSpend { args } = &call {
            subject.leave_trace(&args.execution_id).await;
            return Err(EngineError::Unavailable { op: "record_spend" });
        }
        subject.ask(call).await
    })
}).claiming(|claims| claims.supports.record_spend = false));

deviant!("claims-everything", SYS_002, "Claims a method that it does not answer." =>
    lacks_summaries("read_summary"));

deviant!("half-a-group", SYS_002, "Claims the methods of a group without its flag." =>
    capabilities(|c| c.supports.quota_admin = false));

deviant!("other-label", SYS_003, "Goes by a name that is not its family's." =>
    label("something-else"));

deviant!("ping-finds-nothing", SYS_008,
    "Takes an answering storage for a silent one." => answer(|_, answer| {
    if matches!(answer, Ok(Reply::Ping(()))) {
        *answer = Err(EngineError::transport("mock", "nobody answers"));
    }
}));

deviant!("prepares-once", SYS_009, "Fails where everything is prepared." =>
    only_once(Method::Prepare));

deviant!("shuts-down-once", SYS_010, "Does not shut down again." =>
    only_once(Method::ShutdownPrepare));

around!("waits-for-ever-after", SYS_040, "Lets calls wait after a shutdown.", |subject, call| {
    match call {
        Call::ShutdownPrepare { .. } => Ok(Reply::ShutdownPrepare(())),
        call => subject.ask(call).await,
    }
});

around!(
    "shuts-out-everyone",
    SYS_040,
    "Cancels the flow before it turns the wait away.",
    |subject, mut call| {
        let answer = subject.ask(call.clone()).await;
        if let (Err(EngineError::Unavailable { .. }), Call::CancelFlow { wait, .. }) =
            (&answer, &mut call)
        {
            *wait = CancelFlowWait::NoWait;
            subject.ask(call).await?;
        }
        answer
    }
);

request!("more-grace", SYS_041, "Waits for a second, whatever it was told.",
    ShutdownPrepare { grace } => *grace = Duration::from_secs(1));

deviant!("other-grace", SYS_041, "Says that it waited no time." => answer(|_, answer| {
    if let Err(EngineError::Timeout { op: "shutdown_prepare", elapsed }) = answer {
        *elapsed = Duration::ZERO;
    }
}));

deviant!("modest-flags", SYS_042, "Waits where it does not claim to." =>
    capabilities(|c| c.supports.cancel_flow_wait_indefinite = false));

deviant!("someone-else's-connection", SYS_043, "Takes lost connections for the network's." =>
    blames("network"));

fn only_once(method: Method) -> Fault {
    let done = AtomicBool::new(false);
    answer(move |call, answer| {
        if call.method() == method && done.swap(true, Ordering::SeqCst) {
            *answer = Err(EngineError::Timeout { op: method.as_str(), elapsed: Duration::ZERO });
        }
    })
}
