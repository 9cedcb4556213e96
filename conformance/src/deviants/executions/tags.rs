//! Deviants that break the clauses under "Tags".

use ff_core::call::{Call, Method, Reply};
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::{EngineError, StateKind};

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::fault::{Answer, answer, marks_repetitions_of};

request!("shortens-keys", EXE_041, "Cuts long keys.", SetExecutionTag { key, .. }
| SetFlowTag { key, .. }
| GetExecutionTag { key, .. }
| GetFlowTag { key, .. } => key.truncate(256));

deviant!("drops-tags", EXE_042,
    "Leaves out tags that there is no room for." => answer(|call, answer| match call {
    Call::SetExecutionTag { key, .. } if is_full(key, answer) => {
        *answer = Ok(Reply::SetExecutionTag(()));
    }
    Call::SetFlowTag { key, .. } if is_full(key, answer) => {
        *answer = Ok(Reply::SetFlowTag(()));
    }
    _ => {}
}));

deviant!("keeps-it-to-itself", EXE_046,
    "Does not say which key is wrong." => answer(|call, answer| {
    if let (Call::GetFlowTag { .. }, Err(EngineError::Validation { detail, .. })) = (call, answer) {
        *detail = "the key is wrong".to_owned();
    }
}));

around!(
    "ended-is-sealed",
    EXE_029,
    "Refuses tags when the execution has ended.",
    |subject, call| {
        if let Call::SetExecutionTag { execution_id, .. } = &call
            && subject.field(execution_id, "completed_at").await.is_some()
        {
            return Err(EngineError::State(StateKind::Terminal));
        }
        subject.ask(call).await
    }
);

around!(
    "no-tags-for-nobody",
    EXE_030,
    "Refuses to read tags of what is not there.",
    |subject, call| {
        if let Call::GetExecutionTag { execution_id, .. } = &call
            && subject.field(execution_id, "lane_id").await.is_none()
        {
            return Err(EngineError::NotFound { entity: "execution" });
        }
        subject.ask(call).await
    }
);

request!("any-case-keys", EXE_031, "Lowers keys to what is allowed.",
    SetExecutionTag { key, .. } | GetExecutionTag { key, .. } => *key = key.to_lowercase());

reply!("first-dot-only", EXE_032, "Leaves deeper names out of the context.",
    ReadExecutionContext(context) => context.tags.retain(|key, _| key.matches('.').count() == 1));

deviant!("dots-inside-only", EXE_031, "Refuses a key that ends in a dot." => answer(|call, answer| {
    if let Call::SetExecutionTag { key, .. } = call
        && key.ends_with('.')
    {
        *answer = Err(EngineError::invalid_input("ends in a dot"));
    }
}));

reply!("empty-is-unset", EXE_029, "Takes an empty tag for none.",
    GetExecutionTag(value) => *value = value.take().filter(|text| !text.is_empty()));

deviant!("tag-again", EXE_029, "Leaves a mark when the same tag comes again." =>
    marks_repetitions_of(Method::SetExecutionTag));

/// Whether a tag with a good key was refused for its size or number.
fn is_full(key: &str, answer: &Answer) -> bool {
    let refused = matches!(answer, Err(EngineError::Validation { .. }));
    refused && validate_tag_key(key).is_ok()
}
