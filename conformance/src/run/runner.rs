//! Runs cases on a backend: in parallel, each in a deployment of its own, each once.

use std::sync::Arc;
use std::time::Instant;

use ff_core::contract::Level;
use futures_util::stream::{self, StreamExt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::lacking::Lacking;
use super::report::{
    BackendReport, CaseReport, ChapterReport, FailureReport, Identity, Status, Totals,
};
use crate::stage::{
    Case, CaseInfo, Failure, Harness, Need, Options, Outcome, Played, Scene, Stage, Waited, deploy,
};

/// Is notified of each case as it ends.
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
    let mut rounds = Vec::new();
    for round in 0..options.repeat.max(1) as u64 {
        let seed = options.seed.wrapping_add(round);
        rounds.extend(order.iter().map(|case| (Case::clone(case), seed)));
    }
    let options = if harness.is_exclusive() { Options { jobs: 1, ..options } } else { options };
    let lacking = &Lacking::of(harness, cases).await;
    let mut reports: Vec<CaseReport> = stream::iter(rounds)
        .map(|(case, seed)| async move {
            let report = run_case(harness, &case, Options { seed, ..options }, lacking).await;
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

/// The report of a backend from the reports of its cases.
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
        chapters: ChapterReport::of(&reports),
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
        chapters: ChapterReport::of(&reports),
        duration_ms: 0,
        cases: reports,
    }
}

async fn identity(harness: &Arc<dyn Harness>, cases: &[Case]) -> Option<Identity> {
    let deployment = deploy(harness, cases.first()?).await.ok()?;
    let identity = deployment.backend.capabilities().identity;
    Some(Identity {
        family: identity.family.to_owned(),
        version: identity.version.to_string(),
        stage: identity.rfc017_stage.to_owned(),
    })
}

/// Runs one case in a deployment of its own. Whatever it does there, it does to itself alone.
pub(crate) async fn run_case(
    harness: &Arc<dyn Harness>,
    case: &Case,
    options: Options,
    lacking: &Lacking,
) -> CaseReport {
    let started = Instant::now();
    let skipped = |need: Need| {
        let reason = format!("the deployment has no {need}");
        report(case, Status::Skipped, Some(reason), millis(started))
    };
    if let Some(need) = lacking.known(case) {
        return skipped(need);
    }
    let deployment = match deploy(harness, case).await {
        Ok(deployment) => deployment,
        Err(failure) => {
            // Nobody knows then which clauses are kept, of whatever level.
            let report = failed(harness, case, options, failure, started);
            return CaseReport { status: Status::Failed, ..report };
        }
    };
    if let Some(need) = lacking.learn(case, &deployment) {
        return skipped(need);
    }
    let (harness_of, info) = (Arc::clone(harness), CaseInfo::clone(case));
    let scene = Scene { harness: harness_of, case: info, options, waited: Waited::default() };
    let playing = case.clone();
    let played = tokio::spawn(async move { playing.play(Stage { scene, deployment }).await }).await;
    let Played { outcome, generated } = played.unwrap_or_else(|panic| {
        Outcome::Failed(Failure::new(format!("the case panicked: {panic}"))).into()
    });
    let report = match outcome {
        Outcome::Passed => report(case, Status::Passed, None, millis(started)),
        Outcome::Unsupported(reason) => {
            report(case, Status::Unsupported, Some(reason), millis(started))
        }
        Outcome::Skipped(reason) => report(case, Status::Skipped, Some(reason), millis(started)),
        Outcome::Failed(failure) => failed(harness, case, options, failure, started),
    };
    CaseReport { generated, ..report }
}

fn failed(
    harness: &Arc<dyn Harness>,
    case: &Case,
    options: Options,
    failure: Failure,
    started: Instant,
) -> CaseReport {
    let status = match case.level() {
        _ if case.since() > options.contract => Status::Newer,
        Level::Must => Status::Failed,
        _ => Status::Advised,
    };
    let failure = failure.redacted();
    CaseReport {
        failure: Some(FailureReport {
            message: failure.message.clone(),
            differences: failure.differences,
            setup: failure.is_setup,
            cause: failure.cause,
            story: failure.story,
            rerun: harness.rerun(case.slug, options.seed),
        }),
        ..report(case, status, Some(failure.message), millis(started))
    }
}

fn report(case: &Case, status: Status, reason: Option<String>, millis: u64) -> CaseReport {
    CaseReport {
        slug: case.slug.to_owned(),
        chapter: case.chapter().to_owned(),
        clauses: case.clauses.iter().map(|id| (*id).to_owned()).collect(),
        level: case.level(),
        status,
        reason,
        millis,
        failure: None,
        generated: None,
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
