//! Deviants that break the clauses under "Cascade".

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use ff_core::backend::CompletionPayload;
use ff_core::call::{Call, Reply};
use ff_core::contracts::{CascadeOutcome, ResolveDependencyArgs, ResolveDependencyOutcome};
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, TimestampMs};

use crate::deviants::declare::{around, deviant};
use crate::deviants::fault::{Answer, Fault, Subject, around, lock, pause, target_of};
use crate::deviants::flows::{cascades_once, nothing, outgoing};

around!(
    "believes-the-completion",
    DEP_020,
    "Cascades the outcome that the completion tells.",
    |subject, call| {
        match &call {
            Call::CascadeCompletion { payload } => by_hand(subject, payload).await,
            _ => subject.ask(call).await,
        }
    }
);

around!(
    "counts-repetitions",
    DEP_021,
    "Counts every edge, also those that were resolved before.",
    |subject, call| {
        let mut answer = subject.ask(call.clone()).await;
        if let Call::CascadeCompletion { payload } = &call
            && let Some(flow) = payload.flow_id
            && let Ok(Reply::CascadeCompletion(outcome)) = &mut answer
        {
            outcome.resolved = outgoing(subject, flow, &payload.execution_id).await.len();
        }
        answer
    }
);

around!("one-hop", DEP_022, "Resolves the next edges and goes no further.", |subject, call| {
    let Call::CascadeCompletion { payload } = &call else {
        return subject.ask(call).await;
    };
    let id = &payload.execution_id;
    let Some(stored) = subject.field(id, "terminal_outcome").await else {
        return subject.ask(call).await;
    };
    let mut completion = payload.clone();
    completion.outcome = stored;
    by_hand(subject, &completion).await
});

around!(
    "tells-everyone",
    DEP_022,
    "Goes on from members that have yet to run.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await?;
        if let Call::CascadeCompletion { payload } = &call
            && let Some(flow) = payload.flow_id
        {
            for edge in outgoing(subject, flow, &payload.execution_id).await {
                let mut next = payload.clone();
                next.execution_id = edge.downstream_execution_id;
                by_hand(subject, &next).await?;
            }
        }
        Ok(answer)
    }
);

deviant!("cascades-no-more", DEP_024, "Refuses to cascade from an execution again." =>
    cascades_once(|| Err(EngineError::invalid_input("it has been told"))));

deviant!("told-before-done", DEP_024,
    "Notes that an end has been told before it has been, and tells nobody twice." =>
    told_before_done());

around!("ends-cascade", DEP_049, "Tells dependents of each completion.", |subject, call| {
    let ended = matches!(call, Call::Complete { .. }).then(|| target_of(&call)).flatten();
    let answer = subject.ask(call).await;
    if let (Ok(_), Some(id)) = (&answer, ended)
        && let Ok(Reply::ResolveExecutionFlowId(Some(flow))) =
            subject.ask(Call::ResolveExecutionFlowId { execution_id: id.clone() }).await
    {
        let payload = CompletionPayload::new(id, "success", None, TimestampMs::now());
        let payload = payload.with_flow_id(flow);
        subject.ask(Call::CascadeCompletion { payload }).await?;
    }
    answer
});

/// Does nothing where a cascade has begun before and has not ended.
fn told_before_done() -> Fault {
    let begun: Arc<Mutex<HashSet<ExecutionId>>> = Arc::default();
    around(move |subject, call| {
        let begun = Arc::clone(&begun);
        Box::pin(async move {
            let Call::CascadeCompletion { payload } = &call else {
                return subject.ask(call).await;
            };
            let id = payload.execution_id.clone();
            if !lock(&begun).insert(id.clone()) {
                return Ok(nothing());
            }
            pause().await;
            let answer = subject.ask(call).await;
            lock(&begun).remove(&id);
            answer
        })
    })
}

/// Resolves the edges that leave a member one by one.
async fn by_hand(subject: &Subject, completion: &CompletionPayload) -> Answer {
    let Some(flow) = completion.flow_id else {
        return Ok(nothing());
    };
    let mut resolved = 0;
    for edge in outgoing(subject, flow, &completion.execution_id).await {
        let args = ResolveDependencyArgs::new(
            flow_partition(&flow, &PartitionConfig::default()),
            flow,
            edge.downstream_execution_id,
            edge.upstream_execution_id,
            edge.edge_id,
            LaneId::new("default"),
            AttemptIndex::new(0),
            completion.outcome.clone(),
            TimestampMs::now(),
        );
        match subject.ask(Call::ResolveDependency { args }).await {
            Ok(Reply::ResolveDependency(ResolveDependencyOutcome::AlreadyResolved))
            | Err(EngineError::Validation { kind: ValidationKind::InvalidDependency, .. }) => {}
            Ok(_) => resolved += 1,
            Err(other) => return Err(other),
        }
    }
    let outcome = CascadeOutcome::synchronous(resolved, 0);
    Ok(Reply::CascadeCompletion(outcome))
}
