//! Sequences that lead to one answer, where chance has led to none: looked for on the model alone.

use std::sync::atomic::AtomicUsize;

use ff_core::call::Call;
use ff_mock::Take;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use super::calls::offers;
use super::drawn::after;
use super::reference::Reference;
use super::sequences::{Compared, Target, drawing, rng};
use super::step::Step;
use crate::stage::{Answered, Coverage, Failure};

/// Sequences that are looked at for one answer.
const SEQUENCES: u64 = 200;

/// Calls that are tried at each of their steps.
const CALLS: usize = 8;

/// Of the numbers of a run's sequences, the first that none of the others has.
const NUMBERS: u64 = 1 << 32;

/// Plays a sequence that leads to each of these answers, as far as there is one, until one differs.
pub(crate) async fn aim(
    target: &Target,
    answers: Vec<Answered>,
    seed: u64,
    compared: &mut Compared,
) -> Result<(), Failure> {
    for answer in answers {
        let mut next = NUMBERS;
        while !compared.coverage.has(answer.0, &answer.1) {
            let (aiming, wanted) = (target.clone(), answer.clone());
            let found = tokio::task::spawn_blocking(move || aimed(&aiming, seed, next, &wanted));
            let found = found.await;
            let found =
                found.map_err(|panic| Failure::new(format!("a sequence panicked: {panic}")))?;
            let Some((number, steps)) = found else { break };
            // It may lead elsewhere on a backend whose claims look in another partition first.
            next = number + 1;
            let played = target.play(&steps, &AtomicUsize::new(0)).await?;
            compared.sequences += 1;
            compared.cut += usize::from(played.is_cut);
            compared.coverage.add(played.coverage);
            if let Err(divergence) = played.outcome {
                compared.found = Some(target.tell(steps, seed, &divergence.message).await?);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A sequence whose last call is of this method and answered so: the beginning of one that was drawn like all others, the
/// first from this number on.
fn aimed(
    target: &Target,
    seed: u64,
    from: u64,
    (method, answer): &Answered,
) -> Option<(u64, Vec<Step>)> {
    let offer = offers().find(|offer| offer.method == *method)?;
    (from..NUMBERS + SEQUENCES).find_map(|number| {
        let config = Config { failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, rng(seed, number));
        let drawing = drawing(target, seed, number);
        let (mut steps, _) = drawing.new_tree(&mut runner).ok()?.current();
        let mut reference = Reference::new(drawing.universe);
        for place in 0..=steps.len() {
            for _ in 0..CALLS {
                let call = (offer.draw)(&reference).new_tree(&mut runner).ok()?.current();
                let is_claimed = target.supports.claims_call(&call);
                if is_claimed && is_answered(&reference, &call, answer) {
                    steps.truncate(place);
                    steps.push(Step::Call(call));
                    return Some((number, steps));
                }
            }
            if let Some(step) = steps.get(place) {
                reference = after(reference, step);
            }
        }
        None
    })
}

fn is_answered(reference: &Reference, call: &Call, answer: &str) -> bool {
    let mut seen = Coverage::default();
    if let Some((given, _)) = reference.answer(call, reference.now, Take::First) {
        seen.count(call.method(), &given);
    }
    seen.has(call.method(), answer)
}
