//! Generated calls: sequences compared with the model, and histories of calls that overlap.

pub(crate) mod calls;
mod core;
mod histories;
mod history;
mod linear;
pub(crate) mod names;
mod overlap;
mod player;
mod reach;
mod recording;
mod reference;
mod sequences;
pub(crate) mod step;
pub(crate) mod story;
mod workers;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use ff_core::call::Method;

use crate::case::{Body, Case};
use crate::failure::Failure;
use crate::harness::{Deployment, Harness, HarnessError};
use crate::registry::registry;
use crate::report::GeneratedReport;
use crate::runner::Options;
use histories::{HISTORIES, examine_all};
use player::Divergence;
pub use reach::Reach;
pub use recording::{Recording, RecordingError};
pub(crate) use reference::Universe;
pub(crate) use reference::plain_claim;
use sequences::{Found, Ground, SEQUENCES, compare};
pub use step::Step;

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generated {
    /// Sequences of calls, compared with the model answer by answer.
    Sequences,
    /// Histories of overlapping calls, which some order of the calls must explain.
    Histories,
}

/// What generated calls came to.
pub(crate) struct Generation {
    pub(crate) outcome: Outcome,
    pub(crate) report: Option<GeneratedReport>,
}

/// What a case of many deployments came to.
pub(crate) enum Outcome {
    Passed,
    /// A method is not claimed without which there is nothing to generate.
    Unsupported(String),
    Failed(Failure),
}

/// Sequences or histories at once at most, each in a deployment of its own.
const AT_ONCE: usize = 8;

/// Generates calls and makes them in deployments like this one.
pub(crate) async fn run(
    generated: Generated,
    harness: &Arc<dyn Harness>,
    case: &Case,
    deployment: &Deployment,
    options: Options,
) -> Generation {
    let supports = deployment.backend.capabilities().supports;
    let needed = [Method::CreateExecution, Method::Claim, Method::DescribeExecution];
    if let Some(missing) = needed.into_iter().find(|method| !supports.claims(*method)) {
        return Generation {
            outcome: Outcome::Unsupported(format!("{missing} is not claimed")),
            report: None,
        };
    }
    let ran = async {
        let ground = Ground::new(harness, case, Universe::of(deployment.partitions)).await?;
        match generated {
            Generated::Sequences => run_sequences(&ground, options).await,
            Generated::Histories => run_histories(&ground, options).await,
        }
    };
    ran.await
        .unwrap_or_else(|failure| Generation { outcome: Outcome::Failed(failure), report: None })
}

async fn run_sequences(ground: &Ground, options: Options) -> Result<Generation, Failure> {
    if let Some(failure) = again(ground).await? {
        return Ok(Generation { outcome: Outcome::Failed(failure), report: None });
    }
    let (count, at_once) = (SEQUENCES * options.long.max(1), options.jobs.min(AT_ONCE));
    let mut compared = compare(ground, 0..count, at_once, options.seed).await?;
    // Chance may miss something once, but not twice.
    if compared.found.is_none() && !compared.reach.unreached(&ground.supports).is_empty() {
        let more = compare(ground, count..2 * count, at_once, options.seed).await?;
        compared.sequences += more.sequences;
        compared.reach.add(more.reach);
        compared.found = more.found;
    }
    let outcome = match compared.found {
        Some(found) => Outcome::Failed(told(ground.harness.as_ref(), found)),
        None => match compared.reach.unreached(&ground.supports) {
            missed if missed.is_empty() => Outcome::Passed,
            missed => Outcome::Failed(Failure::new(format!(
                "{} sequences never reached: {}",
                compared.sequences,
                missed.join(", ")
            ))),
        },
    };
    Ok(Generation {
        outcome,
        report: Some(GeneratedReport {
            runs: compared.sequences,
            calls: compared.reach.calls(),
            reach: compared.reach,
        }),
    })
}

async fn run_histories(ground: &Ground, options: Options) -> Result<Generation, Failure> {
    let (count, at_once) = (HISTORIES * options.long.max(1), options.jobs.min(AT_ONCE));
    let judged = examine_all(ground, count, at_once, options.seed).await?;
    Ok(Generation {
        outcome: judged.found.map_or(Outcome::Passed, Outcome::Failed),
        report: Some(GeneratedReport {
            runs: judged.histories,
            calls: judged.reach.calls(),
            reach: judged.reach,
        }),
    })
}

/// What came of playing a sequence again.
pub struct Replayed {
    /// The calls with their answers, a line each, up to the one that was answered otherwise.
    pub story: Vec<String>,
    /// In what backend and model differ, if they do.
    pub difference: Option<Failure>,
}

/// Plays a kept sequence on a backend and on the model.
pub async fn replay(
    harness: &Arc<dyn Harness>,
    recording: &Recording,
) -> Result<Replayed, HarnessError> {
    let case = registry()
        .into_iter()
        .find(|case| matches!(case.body, Body::Generated(Generated::Sequences)));
    let case = case.ok_or("the suite has no sequences")?;
    let deployment = harness.deploy(&case).await?;
    if deployment.partitions != recording.partitions {
        return Err(format!(
            "the ids are made for {} partitions of flows, {} has {}",
            recording.partitions.num_flow_partitions,
            harness.name(),
            deployment.partitions.num_flow_partitions
        )
        .into());
    }
    let ground = Ground::new(harness, &case, Universe::of(deployment.partitions)).await;
    let ground = ground.map_err(|failure| failure.message)?;
    let played = ground.play(&recording.steps, &AtomicUsize::new(0)).await;
    let played = played.map_err(|failure| failure.message)?;
    Ok(Replayed {
        story: played.story,
        difference: played.outcome.err().map(|found| Failure {
            message: found.message,
            differences: found.differences,
            story: Vec::new(),
        }),
    })
}

/// Plays the sequences that were kept, and tells of the first that differs still.
async fn again(ground: &Ground) -> Result<Option<Failure>, Failure> {
    let Some(directory) = ground.harness.regressions() else {
        return Ok(None);
    };
    let kept = Recording::kept(&directory).map_err(|error| Failure::new(error.to_string()))?;
    for (path, recording) in kept {
        // Ids belong to a layout, so a deployment laid out otherwise cannot play it.
        if recording.partitions != ground.universe.partitions {
            continue;
        }
        let played = ground.play(&recording.steps, &AtomicUsize::new(0)).await?;
        if let Err(divergence) = played.outcome {
            let failure = failure(divergence, played.story);
            return Ok(Some(with_replay(ground.harness.as_ref(), failure, &path)));
        }
    }
    Ok(None)
}

/// A finding as a failure; the sequence is kept, if there is a place for it.
fn told(harness: &dyn Harness, found: Found) -> Failure {
    let failure = failure(found.divergence, found.recording.story.clone());
    let Some(directory) = harness.regressions() else {
        return failure;
    };
    match found.recording.keep(&directory) {
        Ok(path) => with_replay(harness, failure, &path),
        Err(error) => Failure {
            message: format!("{}; it could not be kept: {error}", failure.message),
            ..failure
        },
    }
}

fn failure(divergence: Divergence, story: Vec<String>) -> Failure {
    let last = divergence.message.clone();
    Failure {
        message: divergence.message,
        differences: divergence.differences,
        story: story.into_iter().chain([last]).collect(),
    }
}

fn with_replay(harness: &dyn Harness, failure: Failure, path: &Path) -> Failure {
    let again = harness.replay(path);
    let again = again.map_or_else(String::new, |command| format!("; `{command}` plays it again"));
    Failure {
        message: format!("{}; kept as {}{again}", failure.message, path.display()),
        ..failure
    }
}
