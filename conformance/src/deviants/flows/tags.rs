//! Deviants that break the clauses under "Tags".

use ff_core::call::{Call, Reply};
use ff_core::engine_error::{EngineError, StateKind};

use crate::deviants::declare::{around, deviant, request};
use crate::deviants::fault::{Fault, answer, around, pause};
use crate::deviants::flows::{described, described_by};

request!("flow-keys-mended", FLW_028, "Takes keys of flows' tags in any case.",
    SetFlowTag { key, .. } | GetFlowTag { key, .. } => key.make_ascii_lowercase());

around!("closed-flows-untagged", FLW_029, "Refuses tags on a cancelled flow.", |subject, call| {
    if let Call::SetFlowTag { flow_id, .. } = &call
        && described_by(subject, flow_id).await.is_some_and(|flow| flow.cancelled_at.is_some())
    {
        return Err(EngineError::State(StateKind::FlowAlreadyTerminal));
    }
    subject.ask(call).await
});

deviant!("tags-for-no-flow", FLW_029,
    "Says that it has tagged a flow that is not there." => answer(|call, answer| {
    if let (Call::SetFlowTag { .. }, Err(EngineError::NotFound { .. })) = (call, &answer) {
        *answer = Ok(Reply::SetFlowTag(()));
    }
}));

around!("flow-tag-again", FLW_029, "Refuses a tag that is set already.", |subject, call| {
    if let Call::SetFlowTag { flow_id, key, value } = &call
        && described_by(subject, flow_id)
            .await
            .is_some_and(|flow| flow.tags.get(key) == Some(value))
    {
        return Err(EngineError::invalid_input("nothing new"));
    }
    subject.ask(call).await
});

request!("flow-tags-trimmed", FLW_029, "Keeps no empty tag.",
    SetFlowTag { value, .. } if value.is_empty() => "-".clone_into(value));

deviant!("flows-described-without-tags", FLW_038, "Leaves tags out where a flow is described." =>
    described(|flow| flow.tags.clear()));

deviant!("flow-tags-emptied", FLW_030, "Empties the tags that are set while it sets another." =>
    flow_tags_emptied());

fn flow_tags_emptied() -> Fault {
    around(|subject, call| {
        Box::pin(async move {
            let Call::SetFlowTag { flow_id, key, .. } = &call else {
                return subject.ask(call).await;
            };
            let tags = async || described_by(subject, flow_id).await.map(|flow| flow.tags);
            let before = tags().await.unwrap_or_default();
            pause().await;
            let answer = subject.ask(call.clone()).await;
            let after = tags().await.unwrap_or_default();
            let meanwhile = |other: &String| other != key && !before.contains_key(other);
            for key in after.into_keys().filter(meanwhile) {
                let call = Call::SetFlowTag { flow_id: *flow_id, key, value: String::new() };
                subject.ask(call).await?;
            }
            answer
        })
    })
}
