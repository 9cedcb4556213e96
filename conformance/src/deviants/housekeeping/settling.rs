//! Deviants that break the clauses under "Settling".

use ff_core::call::Call;
use ff_mock::EdgeGroup;

use crate::deviants::declare::{deviant, request};
use crate::deviants::fault::{Fault, around};

request!("lists-in-vain", HSK_007, "Lists cascades that lead nowhere.",
    CascadeCompletion { payload } => payload.flow_id = None);

deviant!("drains-without-effect", HSK_007, "Keeps a note that is to be forgotten." =>
Fault::default().damage(|before: Option<&EdgeGroup>, after: &mut EdgeGroup| {
    if after.noted_at.is_none() {
        after.noted_at = before.and_then(|before| before.noted_at);
    }
}));

deviant!("promotes-again", HSK_008, "Marks what is promoted and was not delayed." =>
    promotes_again());

fn promotes_again() -> Fault {
    around(|subject, call| {
        Box::pin(async move {
            if let Call::PromoteDelayed { execution_id, .. } = &call {
                let state = subject.field(execution_id, "eligibility_state").await;
                if state.as_deref() != Some("not_eligible_until_time") {
                    subject.leave_trace(execution_id).await;
                }
            }
            subject.ask(call).await
        })
    })
}
