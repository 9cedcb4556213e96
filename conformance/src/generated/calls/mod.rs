//! The calls that sequences and histories are made of, chapter by chapter, with how often each is
//! made and what is wrong with some of them.

mod dependencies;
mod executions;
mod flow_reads;
mod flows;
mod observed;
mod reads;
mod scheduling;
mod system;

use ff_core::call::{Call, Method};
use ff_core::capability::Supports;
use ff_core::clock::ManualClock;
use ff_core::partition::PartitionConfig;
use ff_core::types::{ExecutionId, MAX_INTEGER, TimestampMs};

use ff_mock::{EdgeState, Execution, Flow};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

pub(crate) use observed::Known;

use super::reference::Reference;
use super::step::Step;

/// How calls of one method are drawn.
pub(crate) struct Offer {
    pub(crate) method: Method,
    /// How often, against the others.
    weight: u32,
    draw: fn(&Reference) -> BoxedStrategy<Call>,
}

const fn offer(method: Method, weight: u32, draw: fn(&Reference) -> BoxedStrategy<Call>) -> Offer {
    Offer { method, weight, draw }
}

/// Every method that can be drawn, by chapter.
const CHAPTERS: &[&[Offer]] = &[
    system::OFFERS,
    executions::OFFERS,
    scheduling::OFFERS,
    reads::OFFERS,
    flows::OFFERS,
    flow_reads::OFFERS,
    dependencies::OFFERS,
];

pub(crate) fn offers() -> impl Iterator<Item = &'static Offer> {
    CHAPTERS.iter().copied().flatten()
}

/// What the next step is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A call, by its place among the offers.
    Call(usize),
    Advance,
    Observe,
    Settle,
}

/// The next step, drawn with an eye on what there is: on deadlines, live leases, the revision.
pub(crate) fn next_step(reference: &Reference, supports: &Supports) -> BoxedStrategy<Step> {
    let situation = Situation::of(reference);
    let favoured = reference.universe.favoured;
    let favoured = favoured.map(|number| number as usize % offers().count());
    let calls = offers().enumerate().filter_map(|(place, offer)| {
        let favour = if favoured.contains(&place) { 4 } else { 1 };
        let weight = offer.weight * situation.worth(offer.method) * favour;
        let claimed = supports.claims(offer.method);
        claimed.then_some((weight, Just(Kind::Call(place))))
    });
    let others =
        [(900, Just(Kind::Advance)), (100, Just(Kind::Observe)), (100, Just(Kind::Settle))];
    let kinds = Union::new_weighted(calls.chain(others).collect());
    let reference = reference.clone();
    // Only the arguments become simpler: another kind of step would be another sequence.
    let step = kinds.no_shrink().prop_flat_map(move |kind| match kind {
        Kind::Call(place) => match offers().nth(place) {
            Some(offer) => (offer.draw)(&reference).prop_map(Step::Call).boxed(),
            None => Just(Step::Observe).boxed(),
        },
        Kind::Advance => advance(&reference),
        Kind::Observe => Just(Step::Observe).boxed(),
        Kind::Settle => Just(Step::Settle).boxed(),
    });
    step.boxed()
}

/// What there is to talk about.
#[allow(clippy::struct_excessive_bools)] // Each is looked at by itself.
struct Situation {
    alive: usize,
    /// Executions that should be alive.
    wanted: usize,
    known: bool,
    has_ended: bool,
    has_flow: bool,
    has_open_flow: bool,
    has_pair: bool,
    has_edge: bool,
    has_staged_edge: bool,
    has_applied_edge: bool,
    /// An upstream has ended, and a dependent does not know.
    has_untold_end: bool,
    is_held: bool,
    is_superseded: bool,
    is_due: bool,
    is_retry_waiting: bool,
}

impl Situation {
    fn of(reference: &Reference) -> Self {
        let snapshot = &reference.snapshot;
        Self {
            alive: reference.alive().count(),
            wanted: reference.universe.alive,
            known: snapshot.executions().next().is_some(),
            has_ended: snapshot.executions().any(Execution::is_terminal),
            has_flow: snapshot.flows().next().is_some(),
            has_open_flow: snapshot.flows().any(Flow::is_open),
            has_pair: snapshot.flows().any(|flow| flow.node_count > 1),
            has_edge: snapshot.edges().next().is_some(),
            has_staged_edge: snapshot.edges().any(|edge| edge.state == EdgeState::Staged),
            has_applied_edge: dependencies::unresolved(reference).next().is_some(),
            has_untold_end: dependencies::untold(reference).next().is_some(),
            is_held: !reference.live_holders().is_empty(),
            is_superseded: !reference.superseded_holders().is_empty(),
            is_due: reference.is_due(),
            is_retry_waiting: reference.is_retry_waiting(),
        }
    }

    /// How often, in percent of usual: most calls say little where there is nothing to say it of.
    fn worth(&self, method: Method) -> u32 {
        match method {
            Method::CreateExecution if 2 * self.alive < self.wanted => 600,
            Method::CreateExecution if self.alive > self.wanted => 20,
            Method::CreateFlow if !self.has_open_flow => 600,
            Method::CreateFlow => 30,
            Method::Claim if self.is_retry_waiting => 300,
            Method::PromoteDelayed if self.is_due => 300,
            Method::ReplayExecution if self.has_ended => 250,
            Method::AddExecutionToFlow if !(self.known && self.has_flow) => 10,
            Method::AddExecutionToFlow if self.has_open_flow && !self.has_pair => 300,
            Method::StageDependencyEdge if !self.has_pair => 10,
            Method::StageDependencyEdge if !self.has_edge => 500,
            Method::StageDependencyEdge => 200,
            Method::ApplyDependencyToChild
            | Method::DescribeEdge
            | Method::ListEdges
            | Method::CascadeCompletion
            | Method::DrainSiblingCancelGroup
            | Method::ReconcileSiblingCancelGroup
                if !self.has_edge =>
            {
                10
            }
            Method::ResolveDependency if !self.has_applied_edge => 10,
            Method::CascadeCompletion if self.has_untold_end => 500,
            Method::SetEdgeGroupPolicy if !(self.known && self.has_open_flow) => 10,
            Method::CancelFlow | Method::ApplyDependencyToChild if self.has_staged_edge => 250,
            Method::Renew
            | Method::Progress
            | Method::Complete
            | Method::Fail
            | Method::Cancel
            | Method::WaitChildren
                if !self.is_held =>
            {
                25
            }
            Method::Renew | Method::Progress | Method::Complete | Method::Cancel
                if self.is_superseded =>
            {
                250
            }
            _ => 100,
        }
    }
}

/// Some time, or exactly what is left until a deadline, or a millisecond less.
fn advance(reference: &Reference) -> BoxedStrategy<Step> {
    let some = select(vec![1, 100, 1_000]);
    let until = |deadlines: Vec<u64>| {
        let jumps = deadlines.into_iter().flat_map(|left| [left, left, left - 1]);
        let jumps: Vec<u64> = jumps.filter(|jump| *jump > 0).collect();
        if jumps.is_empty() {
            return some.clone().boxed();
        }
        select(jumps).boxed()
    };
    // Work whose lease has lapsed stays as it is, so that time is not let pass as often.
    let jump = prop_oneof![
        3 => until(reference.delays()),
        1 => until(reference.lease_ends()),
        1 => some.clone(),
    ];
    jump.prop_map(Step::Advance).boxed()
}

/// The reads that show all that the trait shows of these.
pub(crate) fn observables(
    known: &Known,
    partitions: &PartitionConfig,
    supports: &Supports,
) -> Vec<Call> {
    let mut calls = known.reads(partitions);
    calls.retain(|call| supports.claims(call.method()));
    calls
}

/// The caller's own time, which decides nothing.
const CALLERS_NOW: TimestampMs = ManualClock::START;

/// Text that no method takes.
const NUL: &str = "a\0b";

/// One byte more than any text or payload may have.
const TOO_LONG: usize = 64 * 1024 + 1;

fn too_long() -> String {
    "x".repeat(TOO_LONG)
}

/// One more than any integer may be.
const TOO_LARGE: u64 = MAX_INTEGER + 1;

const TOO_LATE: TimestampMs = TimestampMs(TOO_LARGE.cast_signed());

/// What can be done to arguments so that they are refused.
type Ways<T> = &'static [fn(&mut T)];

/// Spoils one call in `one_in`, in one of these ways.
fn spoilt<T: Clone + std::fmt::Debug + 'static>(
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
fn tag() -> BoxedStrategy<(String, String)> {
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
fn tag_key() -> impl Strategy<Value = String> + Clone {
    select(vec!["app.k", "app.k2", "a.1", "App.k"]).prop_map(str::to_owned)
}

/// Any execution that there is or could be.
fn any_execution(reference: &Reference) -> BoxedStrategy<ExecutionId> {
    select(reference.universe.executions()).boxed()
}

/// Mostly one of these, if there are any, else any.
fn mostly(reference: &Reference, likely: Vec<ExecutionId>) -> BoxedStrategy<ExecutionId> {
    if likely.is_empty() {
        return any_execution(reference);
    }
    prop_oneof![4 => select(likely), 1 => any_execution(reference)].boxed()
}

/// Mostly an execution that exists and has not ended.
fn execution(reference: &Reference) -> BoxedStrategy<ExecutionId> {
    let ids = |executions: &mut dyn Iterator<Item = &Execution>| {
        mostly(reference, executions.map(|known| known.id.clone()).collect())
    };
    let alive = ids(&mut reference.alive());
    let known = ids(&mut reference.snapshot.executions());
    prop_oneof![3 => alive, 1 => known].boxed()
}

#[cfg(test)]
mod tests {
    use ff_core::dispatch::Dispatch;
    use ff_mock::MockBackend;

    use super::*;

    #[test]
    fn every_method_of_the_model_can_be_drawn() {
        let claimed = Dispatch::capabilities(&MockBackend::conforming()).supports;
        let provided =
            Method::ALL.iter().filter(|method| method.is_call() && claimed.claims(**method));
        for method in provided {
            let drawn = offers().filter(|offer| offer.method == *method).count();
            assert_eq!(drawn, 1, "{method}");
        }
    }
}
