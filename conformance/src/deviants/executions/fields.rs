//! Deviants that break the clauses under "Fields".

use ff_core::call::Reply;

use crate::deviants::declare::{deviant, reply};
use crate::deviants::fault::{Fault, answer, write};

reply!("omits-the-absent", EXE_025, "Has no entry for what is not set.",
    ReadExecCoreFields(fields) => fields.retain(|_, value| value.is_some()));

deviant!("no-aliases", EXE_026, "Does not know `progress_pct`." => unknown_field("progress_pct"));

reply!("spaced-tokens", EXE_027, "Puts spaces between tokens.",
ReadExecCoreFields(fields) => if let Some(Some(tokens)) = fields.get_mut("required_capabilities") {
    *tokens = tokens.replace(',', ", ");
});

deviant!("kind-untold", EXE_038, "Does not know the kind of an execution." =>
    unknown_field("execution_kind"));

deviant!("holder-untold", EXE_039, "Does not tell which worker holds the lease." =>
    unknown_field("current_worker_id"));

deviant!("transitions-untold", EXE_040, "Does not tell when a dimension last changed." =>
    unknown_field("last_transition_at"));

/// Does not know a field.
fn unknown_field(name: &'static str) -> Fault {
    answer(move |_, answer| {
        if let Ok(Reply::ReadExecCoreFields(fields)) = answer
            && let Some(value) = fields.get_mut(name)
        {
            *value = None;
        }
    })
}

deviant!("cancels-for-no-reason", EXE_051,
    "Does not say why a member was cancelled." => write(|_, after| {
    if after.cancelled_by.as_deref() == Some("cancel_flow") {
        after.cancellation_reason = None;
    }
}));

deviant!("blames-the-operator", EXE_051, "Says that someone else cancelled." => write(|_, after| {
    if after.cancelled_by.as_deref() == Some("worker") {
        after.cancelled_by = Some("operator".to_owned());
    }
}));
