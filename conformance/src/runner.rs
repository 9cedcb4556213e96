//! Runs cases on a backend: in parallel, each in a deployment of its own, each once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::case::{Body, Case, Need};
use crate::failure::Failure;
use crate::generated::{Generation, Outcome, run as run_generated};
use crate::harness::{Deployment, Harness, HarnessError};
use crate::report::{BackendReport, CaseReport, FailureReport, Identity, Status, Totals};
use crate::world::World;
use crate::written::interrupt;

/// How long a case may take before it counts as failed: it never ends. Cases share a machine.
const LIMIT: Duration = Duration::from_mins(3);

/// How many of the last calls a failure tells.
const STORY: usize = 12;

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub seed: u64,
    /// Cases at once.
    pub jobs: usize,
    /// Whether the seed also decides the order.
    pub shuffle: bool,
    /// How often each case is run.
    pub repeat: usize,
    /// How many times as many generated sequences and histories as usual.
    pub long: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 0, jobs: 16, shuffle: false, repeat: 1, long: 1 }
    }
}

/// Told of each case as it ends.
pub trait Progress: Sync {
    fn done(&self, case: &CaseReport);
}

/// Runs the cases on the backend.
pub async fn run_backend(
    harness: &Arc<dyn Harness>,
    cases: &[Case],
    options: Options,
    progress: &dyn Progress,
) -> BackendReport {
    let started = Instant::now();
    let mut order: Vec<&Case> = cases.iter().collect();
    if options.shuffle {
        order.shuffle(&mut StdRng::seed_from_u64(options.seed));
    }
    let rounds = (0..options.repeat.max(1) as u64).flat_map(|round| {
        let seed = options.seed.wrapping_add(round);
        order.iter().map(move |case| ((*case).clone(), seed))
    });
    let mut reports: Vec<CaseReport> = stream::iter(rounds)
        .map(|(case, seed)| async move {
            let report = run_case(harness, &case, Options { seed, ..options }).await;
            progress.done(&report);
            report
        })
        .buffer_unordered(options.jobs.max(1))
        .collect()
        .await;
    let place = |slug: &str| cases.iter().position(|case| case.slug == slug);
    reports.sort_by_key(|report| place(&report.slug));
    assemble(harness, cases, reports, started).await
}

/// The report of a backend on which these cases came to this.
pub(crate) async fn assemble(
    harness: &Arc<dyn Harness>,
    cases: &[Case],
    reports: Vec<CaseReport>,
    started: Instant,
) -> BackendReport {
    BackendReport {
        name: harness.name().to_owned(),
        identity: identity(harness, cases).await,
        server_version: harness.server_version(),
        provisioned: harness.provisioned(),
        totals: Totals::of(&reports),
        duration_ms: millis(started),
        cases: reports,
    }
}

/// The report of a backend that is not there: every case is skipped for this reason.
pub fn skip_backend(name: &str, reason: &str, cases: &[Case]) -> BackendReport {
    let reports: Vec<_> = cases
        .iter()
        .map(|case| report(case, Status::Skipped, Some(reason.to_owned()), 0))
        .collect();
    BackendReport {
        name: name.to_owned(),
        identity: None,
        server_version: None,
        provisioned: "not available".to_owned(),
        totals: Totals::of(&reports),
        duration_ms: 0,
        cases: reports,
    }
}

async fn identity(harness: &Arc<dyn Harness>, cases: &[Case]) -> Option<Identity> {
    let deployment = harness.deploy(cases.first()?).await.ok()?;
    let identity = deployment.backend.capabilities().identity;
    Some(Identity {
        family: identity.family.to_owned(),
        version: identity.version.to_string(),
        stage: identity.rfc017_stage.to_owned(),
    })
}

/// Runs one case in a deployment of its own.
pub(crate) async fn run_case(
    harness: &Arc<dyn Harness>,
    case: &Case,
    options: Options,
) -> CaseReport {
    let (started, seed) = (Instant::now(), options.seed);
    let deployed = deploy(harness, case).await;
    let (deployment, second) = match deployed {
        Ok(deployed) => deployed,
        Err(error) => {
            let failure = Failure::new(format!("the backend cannot be deployed: {error}"));
            return failed(harness, case, seed, failure, Vec::new(), started);
        }
    };
    if let Some(missing) = missing(case, &deployment) {
        let reason = format!("the deployment has no {missing}");
        return report(case, Status::Skipped, Some(reason), millis(started));
    }
    if let Body::Generated(generated) = case.body {
        let run = run_generated(generated, harness, case, &deployment, options);
        let Generation { outcome, report: made } = run.await;
        return CaseReport { generated: made, ..reported(harness, case, seed, outcome, started) };
    }
    let drawn = case_seed(seed, case.slug);
    if let Body::Interrupted(repetition) = case.body {
        let outcome = interrupt(harness, case, repetition, drawn).await;
        return reported(harness, case, seed, outcome, started);
    }
    let elsewhere = second.as_ref().map(|second| World::new(second, None, !drawn));
    let world = World::new(&deployment, elsewhere, drawn);
    let outcome = run_in_task(case.clone(), world.clone()).await;
    let story = world.story();
    let unclaimed = world.unclaimed();
    drop((world, deployment, second));

    match (unclaimed, outcome) {
        // A gate goes on after the unavailable call, to see what it changed.
        (Some(_), Err(failure)) if case.is_gate() => {
            failed(harness, case, seed, failure, story, started)
        }
        (Some(unclaimed), _) => {
            let method = unclaimed.method;
            match unclaimed.but_answered {
                None => {
                    let reason = format!("{method} is not claimed");
                    report(case, Status::Unsupported, Some(reason), millis(started))
                }
                Some(answer) => {
                    let failure = Failure::new(format!(
                        "{method} is not claimed, so it answers Unavailable, not {answer}"
                    ));
                    failed(harness, case, seed, failure, story, started)
                }
            }
        }
        (None, Ok(())) => report(case, Status::Passed, None, millis(started)),
        (None, Err(failure)) => failed(harness, case, seed, failure, story, started),
    }
}

/// A deployment, and another if the case needs it.
async fn deploy(
    harness: &Arc<dyn Harness>,
    case: &Case,
) -> Result<(Deployment, Option<Deployment>), HarnessError> {
    let first = harness.deploy(case).await?;
    let second = if case.needs.contains(&Need::Elsewhere) {
        Some(harness.deploy(case).await?)
    } else {
        None
    };
    Ok((first, second))
}

/// A task of its own, so that a panic or a call that never returns is a failure like any other.
async fn run_in_task(case: Case, world: World) -> Result<(), Failure> {
    let mut task = tokio::spawn(async move { case.run(world).await });
    match tokio::time::timeout(LIMIT, &mut task).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(panic)) => Err(Failure::new(format!("the case panicked: {panic}"))),
        Err(_) => {
            task.abort();
            Err(Failure::new(format!("the case took longer than {LIMIT:?}")))
        }
    }
}

fn missing(case: &Case, deployment: &Deployment) -> Option<Need> {
    case.needs.iter().copied().find(|need| match need {
        Need::Clock => deployment.clock.is_none(),
        Need::Nemesis => deployment.nemesis.is_none(),
        Need::Housekeeping => deployment.housekeeping.is_none(),
        Need::Concurrency | Need::Elsewhere => false,
    })
}

fn failed(
    harness: &Arc<dyn Harness>,
    case: &Case,
    seed: u64,
    failure: Failure,
    story: Vec<String>,
    started: Instant,
) -> CaseReport {
    let tail = story.len().saturating_sub(STORY);
    let story = match failure.story {
        told if told.is_empty() => story[tail..].to_vec(),
        told => told,
    };
    CaseReport {
        failure: Some(FailureReport {
            message: failure.message.clone(),
            differences: failure.differences,
            story,
            rerun: harness.rerun(case.slug, seed),
        }),
        ..report(case, Status::Failed, Some(failure.message), millis(started))
    }
}

fn report(case: &Case, status: Status, reason: Option<String>, millis: u64) -> CaseReport {
    CaseReport {
        slug: case.slug.to_owned(),
        chapter: case.chapter().to_owned(),
        clauses: case.clauses.iter().map(|id| (*id).to_owned()).collect(),
        status,
        reason,
        millis,
        failure: None,
        generated: None,
    }
}

/// What a case that has many deployments came to.
fn reported(
    harness: &Arc<dyn Harness>,
    case: &Case,
    seed: u64,
    outcome: Outcome,
    started: Instant,
) -> CaseReport {
    match outcome {
        Outcome::Passed => report(case, Status::Passed, None, millis(started)),
        Outcome::Unsupported(reason) => {
            report(case, Status::Unsupported, Some(reason), millis(started))
        }
        Outcome::Failed(failure) => failed(harness, case, seed, failure, Vec::new(), started),
    }
}

/// Each case draws from its own sequence, whatever the order it runs in.
fn case_seed(seed: u64, slug: &str) -> u64 {
    slug.bytes().fold(seed, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
