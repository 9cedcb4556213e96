//! Short histories with every answer written by hand: they hold the model and the backends to the
//! contract, not to each other.

pub(crate) mod fixture;
mod hints;
mod interruption;
pub(crate) mod meters;
mod repetition;
pub(super) mod session;
pub(crate) mod streams;

pub(crate) use fixture::Fixture;
pub(crate) use interruption::{interrupt_reads, within};
pub(crate) use repetition::Repetition;
pub(crate) use session::{Line, call, pass, play};

use ff_core::call::Method;
use ff_core::contract::clause;

use crate::stage::{Case, Need, Topic};

/// Calls that a backend which works by itself has made before anybody else does.
const BY_ITSELF: [Method; 2] = [Method::CascadeCompletion, Method::ReconcileSiblingCancelGroup];

/// The cases of each of these calls: one that repeats it, one that interrupts it wherever it waits, and one
/// about the caller's own time where it has that among its arguments.
pub(crate) fn around_calls(topic: &Topic, all: &'static [Repetition]) -> Vec<Case> {
    let (interrupted, hinted) = (topic.beside("interrupted"), topic.beside("hinted"));
    let cases = all.iter().flat_map(|one| {
        let method = one.method.as_str();
        let repeated = topic.case(
            method,
            "The same call ten times, in turn and at once.",
            one.and_in_turn(),
            if BY_ITSELF.contains(&one.method) {
                &[Need::Concurrency, Need::Elsewhere, Need::Passive]
            } else {
                &[Need::Concurrency, Need::Elsewhere]
            },
            repetition::Repeated(one),
        );
        let interrupted = interrupted.case(
            method,
            "A call that is given up, or whose connection is lost, at each of its steps.",
            &["SYS-039"],
            &[Need::Nemesis],
            interruption::Interrupted(one),
        );
        let hinted = hinted.case(
            method,
            "The call with a `now` in the far past, and with one in the far future.",
            &[hints::RULE],
            &[Need::Elsewhere],
            hints::Hinted(one),
        );
        let has_now = clause(hints::RULE).is_some_and(|rule| rule.binds.includes(one.method));
        [Some(repeated), Some(interrupted), has_now.then_some(hinted)]
    });
    cases.flatten().collect()
}
