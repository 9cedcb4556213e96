//! Generated sequences of calls, played on the model and on a backend.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ff_core::backend::Handle;
use ff_core::capability::Supports;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use tokio::runtime::Handle as Runtime;

use super::drawn::Drawing;
use super::player::{Divergence, Player, lease_elsewhere};
use super::recording::Recording;
use super::reference::{Reference, Universe};
use super::step::Step;
use crate::stage::{CaseInfo, Coverage, Deployment, Failure, Harness, deploy};

/// Sequences in a run of the default length.
pub(crate) const SEQUENCES: usize = 300;

/// Steps of a sequence that are calls.
const CALLS: usize = 60;

/// How often a sequence that differs is tried in a shorter form.
const SHORTENINGS: u32 = 2_000;

/// Where sequences are played: deployments of one backend.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) harness: Arc<dyn Harness>,
    pub(crate) case: CaseInfo,
    pub(crate) universe: Universe,
    pub(crate) supports: Supports,
    elsewhere: Option<Handle>,
}

/// The result of the sequences.
pub(crate) struct Compared {
    pub(crate) sequences: usize,
    /// Those that ended at a difference that is known.
    pub(crate) cut: usize,
    pub(crate) coverage: Coverage,
    /// The first sequence that differed, in its shortest form.
    pub(crate) found: Option<Found>,
}

/// A sequence on which a backend and the model differ.
pub(crate) struct Found {
    pub(crate) divergence: Divergence,
    pub(crate) recording: Recording,
}

impl Target {
    /// Deployments like this one, of a world as large as sequences use.
    pub(crate) async fn new(
        harness: &Arc<dyn Harness>,
        case: &CaseInfo,
        universe: Universe,
    ) -> Result<Self, Failure> {
        let deployment = deploy(harness, case).await?;
        let backend = deployment.backend.as_ref();
        let supports = backend.capabilities().supports;
        let elsewhere = if supports.claims(ff_core::call::Method::Claim) {
            Some(lease_elsewhere(backend, universe.partitions).await?)
        } else {
            None
        };
        Ok(Self { harness: Arc::clone(harness), case: case.clone(), universe, supports, elsewhere })
    }

    /// An empty deployment.
    pub(crate) async fn deploy(&self) -> Result<Deployment, Failure> {
        deploy(&self.harness, &self.case).await
    }

    /// Plays the steps in a deployment of their own, and compares all that can be seen at the end.
    pub(crate) async fn play(&self, steps: &[Step], seen: &AtomicUsize) -> Result<Played, Failure> {
        let deployment = self.deploy().await?;
        let Some(clock) = deployment.clock.clone() else {
            return Err(Failure::new("every deployment has a clock, if one has"));
        };
        let backend = Arc::clone(&deployment.backend);
        let reference = Reference::new(self.universe);
        let housekeeping = deployment.housekeeping.clone();
        let (elsewhere, tolerated) = (self.elsewhere.clone(), self.harness.known_differences());
        let mut player = Player::new(reference, backend, housekeeping, clock, elsewhere, tolerated);
        let mut outcome = Ok(());
        for step in steps {
            seen.fetch_add(1, Ordering::SeqCst);
            outcome = player.play(step).await;
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() {
            outcome = player.observe().await;
        }
        let is_cut = outcome.as_ref().is_err_and(|divergence| divergence.is_known);
        let outcome = if is_cut { Ok(()) } else { outcome };
        Ok(Played { outcome, is_cut, story: player.story, coverage: player.coverage })
    }

    /// The steps without those that the difference does not need.
    async fn shortest(&self, mut steps: Vec<Step>) -> Result<Vec<Step>, Failure> {
        loop {
            let before = steps.len();
            for place in (0..before).rev() {
                let mut fewer = steps.clone();
                fewer.remove(place);
                let played = self.play(&fewer, &AtomicUsize::new(0)).await?;
                if played.outcome.is_err() {
                    steps = fewer;
                }
            }
            if steps.len() == before {
                return Ok(steps);
            }
        }
    }

    /// Tells of a sequence that differed in this.
    pub(crate) async fn tell(
        &self,
        steps: Vec<Step>,
        seed: u64,
        how: &str,
    ) -> Result<Found, Failure> {
        let steps = self.shortest(steps).await?;
        let played = self.play(&steps, &AtomicUsize::new(0)).await?;
        let Err(divergence) = played.outcome else {
            let lead = "a sequence differed, but not when it was played again";
            return Err(Failure::new(format!("{lead}: {how}")));
        };
        let recording = Recording {
            found_on: self.harness.name().to_owned(),
            seed,
            difference: divergence.message.clone(),
            story: played.story,
            partitions: self.universe.partitions,
            steps,
        };
        Ok(Found { divergence, recording })
    }
}

/// The result of playing a sequence.
pub(crate) struct Played {
    pub(crate) outcome: Result<(), Divergence>,
    /// Whether it ended at a difference that is known.
    pub(crate) is_cut: bool,
    pub(crate) story: Vec<String>,
    pub(crate) coverage: Coverage,
}

/// Plays the sequences with these numbers, several at once, until one differs.
pub(crate) async fn compare(
    target: &Target,
    numbers: Range<usize>,
    at_once: usize,
    seed: u64,
) -> Result<Compared, Failure> {
    let shared = Arc::new(Shared::default());
    shared.next.store(numbers.start, Ordering::SeqCst);
    let threads = (0..at_once.max(1)).map(|_| {
        let (target, shared) = (target.clone(), Arc::clone(&shared));
        let runtime = Runtime::current();
        // A sequence's shrinking state cannot move between threads, so each thread keeps its own.
        tokio::task::spawn_blocking(move || work(&target, &shared, &runtime, numbers.end, seed))
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        let worked = thread.await;
        worked.map_err(|panic| Failure::new(format!("a sequence panicked: {panic}")))??;
    }
    let mut shared = Arc::try_unwrap(shared).map_err(|_| Failure::new("all threads have ended"))?;
    let found = lock(&mut shared.found);
    let found = match found.take() {
        Some((_, steps, how)) => Some(target.tell(steps, seed, &how).await?),
        None => None,
    };
    Ok(Compared {
        sequences: shared.played.load(Ordering::SeqCst),
        cut: shared.cut.load(Ordering::SeqCst),
        coverage: std::mem::take(lock(&mut shared.coverage)),
        found,
    })
}

#[derive(Default)]
struct Shared {
    next: AtomicUsize,
    played: AtomicUsize,
    cut: AtomicUsize,
    stop: AtomicBool,
    coverage: Mutex<Coverage>,
    /// The lowest number of a sequence that differed, its steps, and how it did.
    found: Mutex<Option<(usize, Vec<Step>, String)>>,
}

fn lock<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn work(
    target: &Target,
    shared: &Shared,
    runtime: &Runtime,
    end: usize,
    seed: u64,
) -> Result<(), Failure> {
    while !shared.stop.load(Ordering::SeqCst) {
        let number = shared.next.fetch_add(1, Ordering::SeqCst);
        if number >= end {
            break;
        }
        let differing = sequence(target, shared, runtime, seed, number)?;
        shared.played.fetch_add(1, Ordering::SeqCst);
        if let Some((steps, how)) = differing {
            shared.stop.store(true, Ordering::SeqCst);
            let mut found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
            if found.as_ref().is_none_or(|(known, ..)| number < *known) {
                *found = Some((number, steps, how));
            }
        }
    }
    Ok(())
}

/// Draws the sequence with this number.
pub(crate) fn drawing(target: &Target, seed: u64, number: u64) -> Drawing {
    let universe = target.universe.varied(&[1, 2, 4, 8], mixed(seed, number));
    Drawing { universe, supports: target.supports.clone(), length: CALLS }
}

/// Generates and plays one sequence; shrinks and returns it if it differs.
fn sequence(
    target: &Target,
    shared: &Shared,
    runtime: &Runtime,
    seed: u64,
    number: usize,
) -> Result<Option<(Vec<Step>, String)>, Failure> {
    let config =
        Config { failure_persistence: None, max_shrink_iters: SHORTENINGS, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng(seed, number as u64));
    let tree = drawing(target, seed, number as u64)
        .new_tree(&mut runner)
        .map_err(|reason| Failure::new(format!("no sequence can be generated: {reason}")))?;
    let (broken, is_cut) = (Mutex::new(None), AtomicBool::new(false));
    let tested = runner.run_one(tree, |(steps, played)| {
        match runtime.block_on(target.play(&steps, &played)) {
            Ok(played) => {
                let mut coverage = shared.coverage.lock().unwrap_or_else(PoisonError::into_inner);
                coverage.add(played.coverage);
                is_cut.store(played.is_cut, Ordering::SeqCst);
                played.outcome.map_err(|divergence| TestCaseError::fail(divergence.message))
            }
            Err(failure) => {
                *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                Err(TestCaseError::reject("there is no deployment"))
            }
        }
    });
    if let Some(failure) = broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure);
    }
    match tested {
        Ok(_) => {
            shared.cut.fetch_add(usize::from(is_cut.into_inner()), Ordering::SeqCst);
            Ok(None)
        }
        Err(TestError::Fail(how, (steps, _))) => Ok(Some((steps, how.to_string()))),
        Err(TestError::Abort(reason)) => Err(Failure::new(format!("given up: {reason}"))),
    }
}

/// The random numbers of one sequence of a run.
pub(crate) fn rng(seed: u64, number: u64) -> TestRng {
    let mut bytes = [0; 32];
    StdRng::seed_from_u64(mixed(seed, number)).fill_bytes(&mut bytes);
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// One seed of the two: the run's, and a number within it.
fn mixed(seed: u64, number: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number
}
