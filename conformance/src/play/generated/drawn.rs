//! The steps of a sequence as they were drawn, each on what the model makes of those before, and how they become
//! fewer and simpler.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ff_core::capability::Supports;
use ff_mock::Take;
use proptest::strategy::{Just, NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::calls::{SCENES, next_step};
use super::reference::{Reference, Universe};
use super::step::Step;

/// One sequence in so many begins with this scene or that.
const EVERY: usize = 8;

type Tree = Box<dyn ValueTree<Value = Step>>;

/// Draws sequences.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) universe: Universe,
    pub(crate) supports: Supports,
    pub(crate) length: usize,
}

impl Strategy for Drawing {
    type Tree = Drawn;
    type Value = (Vec<Step>, Arc<AtomicUsize>);

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut reference = Reference::new(self.universe);
        let mut steps: Vec<(Tree, bool)> = Vec::new();
        let scene = SCENES.get(self.universe.favoured[0] as usize % EVERY).copied();
        for next in scene.unwrap_or_default() {
            let step = next(&reference).filter(|step| match step {
                Step::Call(call) => self.supports.claims_call(call),
                _ => true,
            });
            let Some(step) = step else { continue };
            reference = after(reference, &step);
            steps.push((Box::new(Just(step).new_tree(runner)?), true));
        }
        for _ in steps.len()..self.length {
            let tree = next_step(&reference, &self.supports).new_tree(runner)?;
            reference = after(reference, &tree.current());
            steps.push((tree, true));
        }
        Ok(Drawn { steps, played: Arc::default(), shrinking: Shrinking::Cut })
    }
}

/// What the model makes of a step.
pub(crate) fn after(mut reference: Reference, step: &Step) -> Reference {
    match step {
        Step::Call(call) => match reference.answer(call, reference.now, Take::First) {
            Some((_, after)) => after,
            None => reference,
        },
        Step::Advance(millis) => {
            reference.now.0 += millis.cast_signed();
            reference
        }
        Step::Observe => reference,
        Step::Settle => reference.settled(),
    }
}

/// A sequence that was drawn.
pub(crate) struct Drawn {
    /// Each with whether it is still part of it.
    steps: Vec<(Tree, bool)>,
    /// How many were played until the sequence ended.
    played: Arc<AtomicUsize>,
    shrinking: Shrinking,
}

/// What is done next.
#[derive(Clone, Copy)]
enum Shrinking {
    /// What comes after the difference goes.
    Cut,
    /// The last step before this place goes.
    LeaveOut(usize),
    /// The step at this place becomes simpler.
    Simplify(usize),
}

impl ValueTree for Drawn {
    type Value = (Vec<Step>, Arc<AtomicUsize>);

    fn current(&self) -> Self::Value {
        let kept = self.steps.iter().filter(|(_, is_kept)| *is_kept);
        (kept.map(|(tree, _)| tree.current()).collect(), Arc::clone(&self.played))
    }

    fn simplify(&mut self) -> bool {
        loop {
            match self.shrinking {
                Shrinking::Cut => {
                    let length = self.played.load(Ordering::SeqCst);
                    self.steps.truncate(length);
                    self.shrinking = Shrinking::LeaveOut(self.steps.len());
                }
                Shrinking::LeaveOut(0) => self.shrinking = Shrinking::Simplify(0),
                Shrinking::LeaveOut(before) => {
                    self.shrinking = Shrinking::LeaveOut(before - 1);
                    self.steps[before - 1].1 = false;
                    return true;
                }
                Shrinking::Simplify(place) => {
                    let Some((tree, is_kept)) = self.steps.get_mut(place) else {
                        return false;
                    };
                    if *is_kept && tree.simplify() {
                        return true;
                    }
                    self.shrinking = Shrinking::Simplify(place + 1);
                }
            }
        }
    }

    fn complicate(&mut self) -> bool {
        match self.shrinking {
            Shrinking::Cut => false,
            Shrinking::LeaveOut(place) => {
                self.steps[place].1 = true;
                self.simplify()
            }
            Shrinking::Simplify(place) => {
                if self.steps[place].0.complicate() {
                    return true;
                }
                self.shrinking = Shrinking::Simplify(place + 1);
                self.simplify()
            }
        }
    }
}
