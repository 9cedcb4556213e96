//! Short histories with every answer written by hand: they hold the model and the backends to the
//! contract, not to each other.

pub(crate) mod fixture;
mod interruption;
mod repetition;
mod session;

pub(crate) use fixture::Fixture;
pub(crate) use interruption::{interrupt_reads, within};
pub(crate) use repetition::Repetition;
pub(crate) use session::{Line, call, pass, play};

use crate::stage::{Case, Need, Topic};

/// Two cases of each of these calls: one that repeats it, and one that interrupts it wherever it waits.
pub(crate) fn repeated_and_interrupted(topic: &Topic, all: &'static [Repetition]) -> Vec<Case> {
    let interrupted = topic.beside("interrupted");
    let cases = all.iter().flat_map(|one| {
        let method = one.method.as_str();
        let repeated = topic.case(
            method,
            "The same call ten times, in turn and at once.",
            one.clauses,
            &[Need::Clock, Need::Concurrency, Need::Elsewhere],
            repetition::Repeated(one),
        );
        let interrupted = interrupted.case(
            method,
            "A call that is given up, or whose connection is lost, at each of its steps.",
            &["SYS-039"],
            &[Need::Clock, Need::Nemesis],
            interruption::Interrupted(one),
        );
        [repeated, interrupted]
    });
    cases.collect()
}
