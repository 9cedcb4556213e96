//! Deviants that break the clauses under "Closing".

use ff_core::state::AttemptLifecycle;
use ff_core::types::TimestampMs;
use ff_mock::{Attempt, CloseReason, Closed};

use crate::deviants::declare::{deviant, reply};
use crate::deviants::fault::Fault;

reply!("streams-stay-open", STR_016, "Says of every stream that it is open.",
ReadStream(found) => {
    found.closed_at = None;
    found.closed_reason = None;
});

deviant!("closes-what-is-set-aside", STR_016, "Closes the stream of an attempt that is set aside." =>
Fault::default().damage(|_, after: &mut Attempt| {
    if after.state == AttemptLifecycle::Suspended {
        after.closed = Some(Closed { at: TimestampMs(1), reason: CloseReason::Expired });
    }
}));

reply!("one-reason", STR_038, "Gives one reason for every end.",
    ReadStream(found) => found.closed_reason = found.closed_reason.take().map(|_| "ended".to_owned()));

reply!("takeovers-do-not-show", STR_039, "Gives a takeover as a lease that has run out.",
ReadStream(found) if found.closed_reason.as_deref() == Some("reclaimed") => {
    found.closed_reason = Some("lease_expired".to_owned());
});
