//! The calls that sequences and histories are made of, chapter by chapter, with how often each is
//! made and what is wrong with some of them.

mod arguments;
mod assignment;
mod dependencies;
mod executions;
mod expired;
mod flow_reads;
mod flows;
mod grants;
mod hooks;
mod lists;
mod metering;
mod offer;
mod reads;
mod reclaim;
mod reconcile;
mod retention;
mod scene;
mod scheduling;
mod service;
mod streams;
mod suspension;
mod system;
mod workers;

use ff_core::capability::Supports;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use super::reference::Reference;
use super::step::Step;
use offer::{Offer, Situation};
pub(super) use scene::SCENES;

/// Every method that can be drawn, by chapter.
const CHAPTERS: &[&[Offer]] = &[
    system::OFFERS,
    executions::OFFERS,
    service::OFFERS,
    scheduling::OFFERS,
    reads::OFFERS,
    flows::OFFERS,
    flow_reads::OFFERS,
    lists::OFFERS,
    dependencies::OFFERS,
    suspension::OFFERS,
    grants::OFFERS,
    assignment::OFFERS,
    reclaim::OFFERS,
    hooks::OFFERS,
    expired::OFFERS,
    retention::OFFERS,
    reconcile::OFFERS,
    workers::OFFERS,
    metering::OFFERS,
    streams::OFFERS,
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
        let weight = offer.weight(&situation) * favour;
        let claimed = supports.claims(offer.method);
        claimed.then_some((weight, Just(Kind::Call(place))))
    });
    let others =
        [(900, Just(Kind::Advance)), (100, Just(Kind::Observe)), (100, Just(Kind::Settle))];
    let kinds = Union::new_weighted(calls.chain(others).collect());
    let (reference, supports) = (reference.clone(), supports.clone());
    // Only the arguments become simpler: another kind of step would be another sequence.
    let step = kinds.no_shrink().prop_flat_map(move |kind| match kind {
        Kind::Call(place) => match offers().nth(place) {
            Some(offer) => {
                let supports = supports.clone();
                let is_claimed = move |call: &_| supports.claims_call(call);
                let drawn = (offer.draw)(&reference).prop_filter("its form is claimed", is_claimed);
                drawn.prop_map(Step::Call).boxed()
            }
            None => Just(Step::Observe).boxed(),
        },
        Kind::Advance => advance(&reference),
        Kind::Observe => Just(Step::Observe).boxed(),
        Kind::Settle => Just(Step::Settle).boxed(),
    });
    step.boxed()
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
        2 => until(reference.limits()),
        1 => until(reference.lease_ends()),
        1 => some.clone(),
    ];
    jump.prop_map(Step::Advance).boxed()
}
