//! Deviants that break the clauses under "Conditions".

use ff_core::backend::{CompositeBody, ResumeCondition};
use ff_core::call::{Call, Method};
use ff_core::engine_error::{EngineError, StateKind};

use crate::deviants::declare::{around, deviant, request};
use crate::deviants::fault::instead;

request!("names-in-any-case", SUS_012, "Takes no notice of capitals in names.",
    DeliverSignal { args } => args.signal_name = args.signal_name.to_lowercase());

request!("last-of-all", SUS_013, "Takes the first of several for all of them.",
Suspend { args, .. } => {
    if let ResumeCondition::Composite(CompositeBody::AllOf { members }) = &mut args.resume_condition {
        members.sort_by_key(|member| matches!(member, ResumeCondition::OperatorOnly));
        members.truncate(1);
    }
});

request!("sources-joined", SUS_014, "Takes a source for its text.",
DeliverSignal { args } => {
    args.source_type.push_str(&args.source_identity);
    args.source_identity.clear();
});

around!(
    "mended-conditions",
    SUS_010,
    "Takes a condition that names other waitpoints for one that names none.",
    |subject, call| {
        let answer = subject.ask(call.clone()).await;
        if let (Call::Suspend { handle, mut args }, Err(error)) = (call, &answer)
            && error.code() == "validation.invalid_input"
        {
            args.resume_condition = ResumeCondition::OperatorOnly;
            args.waitpoints.truncate(1);
            return subject.ask(Call::Suspend { handle, args }).await;
        }
        answer
    }
);

deviant!("unsound-is-a-state", SUS_047, "Calls a condition that is not sound a state." =>
instead(&[Method::Suspend], "validation.invalid_input", |_, _| {
    Err(EngineError::State(StateKind::WaitpointNotOpen))
}));
