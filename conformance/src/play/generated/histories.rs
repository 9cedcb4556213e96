//! Generated histories of calls that overlap, judged against the model.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ff_core::call::{Call, Method};
use ff_core::capability::Supports;
use ff_core::contracts::SeedWaitpointHmacSecretArgs;
use ff_mock::Take;
use futures_util::stream::{self, StreamExt};

use super::event::History;
use super::history::examine;
use super::linearizability::Judgement;
use super::minimize::{smallest, suspects};
use super::reference::{Reference, Universe};
use super::sequences::Target;
use super::step::Given;
use super::workers::{Arena, Load};
use crate::stage::{Coverage, Failure, Options, SECRET};

/// Histories in a run of the default length.
pub(crate) const HISTORIES: usize = 40;

/// Calls of a history.
const CALLS: usize = 200;

const WORKERS: usize = 4;

/// How many calls may be tried to judge a history.
const BUDGET: u64 = 400_000;

/// Sizes of histories that are tried to tell a finding in fewer calls, how often, and how long where
/// the backend is slow.
const SHORTER: [usize; 5] = [6, 9, 12, 16, 24];
const SHORTER_TRIES: u64 = 400;
const SHORTENING: Duration = Duration::from_secs(30);

/// The result of the histories.
pub(crate) struct Judged {
    pub(crate) histories: usize,
    /// Those in which a difference that is known may have been met: they are not judged.
    pub(crate) cut: usize,
    pub(crate) coverage: Coverage,
    /// Why a history does not conform: no order explains it, or none was found in time.
    pub(crate) found: Option<Failure>,
}

/// Few objects at a time, so that calls meet.
fn narrow(universe: Universe, number: u64) -> Universe {
    let narrow = Universe { executions: 40, flows: 8, lanes: 1, ..universe };
    narrow.varied(&[1, 2, 3, 6], number)
}

/// Records this many histories, several at once, and judges each; ends with the first that does not
/// conform.
pub(crate) async fn examine_all(
    target: &Target,
    histories: usize,
    at_once: usize,
    Options { seed, brief, .. }: Options,
) -> Result<Judged, Failure> {
    let mut judged = Judged { histories: 0, cut: 0, coverage: Coverage::default(), found: None };
    let stop = AtomicBool::new(false);
    let numbers = (0..histories as u64).take_while(|_| !stop.load(Ordering::SeqCst));
    let mut running = stream::iter(numbers)
        .map(|number| one(target, &target.supports, CALLS, seed.wrapping_add(number)))
        .buffer_unordered(at_once.max(1));
    let mut bad = None;
    // Those that have begun are awaited: a worker must not outlive its deployment.
    while let Some(outcome) = running.next().await {
        let (coverage, verdict) = outcome?;
        judged.histories += 1;
        judged.coverage.add(coverage);
        if let Err((judgement, history)) = verdict {
            if target.may_be_known(&history) {
                judged.cut += 1;
                continue;
            }
            bad.get_or_insert((judgement, history));
            stop.store(true, Ordering::SeqCst);
        }
    }
    drop(running);
    if let Some((judgement, history)) = bad {
        judged.found = Some(if brief && judgement == Judgement::NotLinearizable {
            contradicted()
        } else {
            tell(target, judgement, history, seed).await?
        });
    }
    Ok(judged)
}

impl Target {
    /// Whether an answer in a history may be one that the backend's author knows to differ.
    fn may_be_known(&self, history: &History) -> bool {
        let known = self.harness.known_differences();
        let mut answers = history.iter().filter_map(|span| {
            let method = span.op.call.method();
            span.op.answer.as_ref().map(|answer| (method, answer))
        });
        answers.any(|(method, answer)| known.iter().any(|one| one.may_be(method, answer)))
    }
}

/// What every history begins with: nothing but a secret, so that tokens can be signed.
fn beginning(target: &Target, universe: Universe) -> Reference {
    let mut initial = Reference::new(universe);
    initial.given = Given::default();
    if !target.supports.seed_waitpoint_hmac_secret {
        return initial;
    }
    let seeded = initial.answer(&sign(), initial.now, Take::First);
    seeded.map_or(initial, |(_, seeded)| seeded)
}

fn sign() -> Call {
    let args = SeedWaitpointHmacSecretArgs::new("first", SECRET);
    Call::SeedWaitpointHmacSecret { args }
}

type Verdict = Result<(), (Judgement, History)>;

/// Records and judges one history.
async fn one(
    target: &Target,
    supports: &Supports,
    calls: usize,
    seed: u64,
) -> Result<(Coverage, Verdict), Failure> {
    let universe = narrow(target.universe, seed);
    let deployment = target.deploy().await?;
    let Some(clock) = deployment.clock.clone() else {
        return Err(Failure::new("every deployment has a clock, if one has"));
    };
    let mut backends = vec![Arc::clone(&deployment.backend)];
    backends.extend(deployment.peers.iter().cloned());
    let initial = beginning(target, universe);
    if target.supports.seed_waitpoint_hmac_secret {
        sign().send(backends[0].as_ref()).await?;
    }
    let mut supports = supports.clone();
    // What is done partition by partition is not done at one instant.
    supports.rotate_waitpoint_hmac_secret_all = false;
    supports.seed_waitpoint_hmac_secret = false;
    // A call that names what a backend has minted is another call on the model.
    supports.create_waitpoint = false;
    // Most calls change this list, so that no two would be judged apart.
    supports.list_suspended = false;
    // It ties a budget to a lane, and so do most that follow.
    supports.report_usage = false;
    let arena = Arena::new(initial.clone(), backends, clock, supports);
    let load = Load { workers: WORKERS, calls, seed };
    let (history, coverage) = Arc::new(arena).run(load).await;
    drop(deployment);
    let verdict = tokio::task::spawn_blocking(move || examine(&initial, &history, BUDGET)).await;
    let verdict = verdict.map_err(|panic| Failure::new(format!("the judge panicked: {panic}")))?;
    Ok((coverage, verdict))
}

fn contradicted() -> Failure {
    Failure::new("no order of these calls explains what was answered")
}

async fn tell(
    target: &Target,
    judgement: Judgement,
    history: History,
    seed: u64,
) -> Result<Failure, Failure> {
    if judgement == Judgement::Unknown {
        return Ok(Failure::new(format!(
            "unknown: no order of {} calls was found, and not all could be tried",
            history.len()
        )));
    }
    let likely = about(target, &history, suspects).await?;
    let short = shorter(target, likely, seed).await?;
    let is_long = short.is_none();
    let mut core = about(target, &short.unwrap_or(history), smallest).await?;
    // The core of a long history tells more exactly what it is about.
    if is_long && let Some(found) = shorter(target, core.methods(), seed).await? {
        core = about(target, &found, smallest).await?;
    }
    let mut failure = contradicted();
    failure.story = core.story();
    Ok(failure)
}

/// What is found out about a history, which may take a while.
async fn about<T: Send + 'static>(
    target: &Target,
    history: &History,
    find: fn(&Reference, &History) -> T,
) -> Result<T, Failure> {
    let initial = beginning(target, target.universe);
    let history = history.clone();
    let found = tokio::task::spawn_blocking(move || find(&initial, &history)).await;
    found.map_err(|panic| Failure::new(format!("the judge panicked: {panic}")))
}

/// Looks for a history of fewer calls that is not linearizable either, made of these methods.
async fn shorter(
    target: &Target,
    methods: BTreeSet<Method>,
    seed: u64,
) -> Result<Option<History>, Failure> {
    let methods = Supports::of(methods);
    let started = Instant::now();
    for calls in SHORTER {
        let mut number = 0;
        while started.elapsed() < SHORTENING && number < SHORTER_TRIES {
            number += 1;
            let (_, verdict) = one(target, &methods, calls, seed ^ (number << 20)).await?;
            if let Err((Judgement::NotLinearizable, history)) = verdict {
                return Ok(Some(history));
            }
        }
    }
    Ok(None)
}
