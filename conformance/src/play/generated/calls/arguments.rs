//! Arguments that many calls have, and what is done to some of them so that they are refused.

use ff_core::types::{ExecutionId, MAX_INTEGER, TimestampMs};
use ff_mock::Execution;
use proptest::prelude::*;
use proptest::sample::select;

use crate::play::generated::reference::Reference;

/// Text that no method takes.
pub(super) const NUL: &str = "a\0b";

/// One byte more than any text or payload may have.
pub(super) const TOO_LONG: usize = 64 * 1024 + 1;

pub(super) fn too_long() -> String {
    "x".repeat(TOO_LONG)
}

/// One more than any integer may be.
pub(super) const TOO_LARGE: u64 = MAX_INTEGER + 1;

pub(super) const TOO_LATE: TimestampMs = TimestampMs(TOO_LARGE.cast_signed());

/// What can be done to arguments so that they are refused.
pub(super) type Ways<T> = &'static [fn(&mut T)];

/// Spoils one call in `one_in`, in one of these ways.
pub(super) fn spoilt<T: Clone + std::fmt::Debug + 'static>(
    good: impl Strategy<Value = T> + Clone + 'static,
    one_in: u32,
    ways: Ways<T>,
) -> BoxedStrategy<T> {
    let bad = (good.clone(), select(ways)).prop_map(|(mut args, spoil)| {
        spoil(&mut args);
        args
    });
    prop_oneof![one_in - 1 => good, 1 => bad].boxed()
}

/// A tag, sometimes one that is refused.
pub(super) fn tag() -> BoxedStrategy<(String, String)> {
    let good = (
        select(vec!["app.k", "app.k2", "a.1"]).prop_map(str::to_owned),
        select(vec!["v", "", "w"]).prop_map(str::to_owned),
    );
    let bad: Ways<(String, String)> = &[
        |(key, _)| *key = "App.k".to_owned(),
        |(key, _)| *key = "app.".to_owned(),
        |(_, value)| *value = NUL.to_owned(),
        |(_, value)| *value = too_long(),
    ];
    spoilt(good, 6, bad)
}

/// The key of a tag, as [`tag`] sets it.
pub(super) fn tag_key() -> impl Strategy<Value = String> + Clone {
    select(vec!["app.k", "app.k2", "a.1", "App.k"]).prop_map(str::to_owned)
}

/// Any execution that there is or could be.
pub(super) fn any_execution(reference: &Reference) -> BoxedStrategy<ExecutionId> {
    select(reference.universe.executions()).boxed()
}

/// Mostly one of these, if there are any, else any.
pub(super) fn mostly(
    reference: &Reference,
    likely: Vec<ExecutionId>,
) -> BoxedStrategy<ExecutionId> {
    if likely.is_empty() {
        return any_execution(reference);
    }
    prop_oneof![4 => select(likely), 1 => any_execution(reference)].boxed()
}

/// Mostly an execution that exists and has not ended.
pub(super) fn execution(reference: &Reference) -> BoxedStrategy<ExecutionId> {
    let ids = |executions: &mut dyn Iterator<Item = &Execution>| {
        mostly(reference, executions.map(|known| known.id.clone()).collect())
    };
    let alive = ids(&mut reference.alive());
    let known = ids(&mut reference.snapshot.executions());
    prop_oneof![3 => alive, 1 => known].boxed()
}
