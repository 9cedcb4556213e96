//! Deviants that break the clauses under "Closing".

use ff_core::backend::CompletionPayload;
use ff_core::call::{Call, Reply};
use ff_core::contracts::AddExecutionToFlowResult;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::types::{ExecutionId, FlowId, TimestampMs};

use crate::deviants::declare::{around, deviant};
use crate::deviants::fault::{Answer, Subject, answer};
use crate::deviants::flows::{closed_by, named_in};

deviant!("grows-on", CAN_015, "Lets executions join a cancelled flow." => answer(|call, answer| {
    if let (
        Call::AddExecutionToFlow { args },
        Err(EngineError::State(StateKind::FlowAlreadyTerminal)),
    ) = (call, &answer)
    {
        *answer = Ok(Reply::AddExecutionToFlow(AddExecutionToFlowResult::Added {
            execution_id: args.execution_id.clone(),
            new_node_count: 1,
        }));
    }
}));

around!("closed-an-hour-ago", CAN_004, "Dates a cancellation an hour back.", |subject, call| {
    let Call::CancelFlowHeader { .. } = &call else {
        return subject.ask(call).await;
    };
    let now = subject.clock.now();
    subject.clock.set(TimestampMs(now.0 - 3_600_000));
    let answer = subject.ask(call).await;
    subject.clock.set(now);
    answer
});

around!(
    "tells-of-the-cancelled",
    CAN_011,
    "Cascades from the members that it cancels.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let Some(flow) = closed_by(&call) {
            for member in named_in(&answer) {
                tell(subject, flow, member).await?;
            }
        }
        answer
    }
);

async fn tell(subject: &Subject, flow: FlowId, member: ExecutionId) -> Answer {
    let payload = CompletionPayload::new(member, "cancelled", None, TimestampMs::now());
    let payload = payload.with_flow_id(flow);
    let call = Call::CascadeCompletion { payload };
    subject.ask(call).await
}
