//! Generated calls: sequences compared with the model, and histories of calls that overlap.

mod aimed;
pub(crate) mod calls;
mod drawn;
mod event;
mod histories;
mod history;
mod linearizability;
mod minimize;
pub(crate) mod names;
pub(crate) mod observed;
mod overlap;
mod player;
mod recording;
mod reference;
mod sequences;
pub(crate) mod step;
pub(crate) mod story;
mod workers;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use ff_core::call::Method;
use ff_core::capability::Supports;

use crate::stage::{
    CaseInfo, Failure, GeneratedReport, Harness, HarnessError, Options, Outcome, Play, Played,
    Stage, deploy,
};
use aimed::aim;
use calls::offers;
use histories::{HISTORIES, examine_all};
pub use linearizability::{Judgement, Object, Span, judge};
use player::Divergence;
pub use recording::{Recording, RecordingError};
pub(crate) use reference::Universe;
pub(crate) use reference::{budget, plain_claim, quota};
use sequences::{Found, SEQUENCES, Target, compare};
pub use step::Step;

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generated {
    /// Sequences of calls, compared with the model answer by answer.
    Sequences,
    /// Histories of overlapping calls, which some order of the calls must explain.
    Histories,
}

/// Sequences or histories at once at most, each in a deployment of its own.
const AT_ONCE: usize = 8;

/// Methods without which there is nothing to generate.
const NEEDED: [Method; 3] = [Method::CreateExecution, Method::Claim, Method::DescribeExecution];

#[async_trait]
impl Play for Generated {
    async fn play(&self, stage: Stage) -> Played {
        let supports = stage.deployment.backend.capabilities().supports;
        if let Some(missing) = NEEDED.into_iter().find(|method| !supports.claims(*method)) {
            return Outcome::Unsupported(format!("{missing} is not claimed")).into();
        }
        let Stage { scene, deployment } = stage;
        let universe = Universe::of(deployment.partitions);
        // Each sequence and history has a deployment of its own.
        drop(deployment);
        let ran = async {
            let target = Target::new(&scene.harness, &scene.case, universe).await?;
            match self {
                Self::Sequences => run_sequences(&target, scene.options).await,
                Self::Histories => run_histories(&target, scene.options).await,
            }
        };
        ran.await.unwrap_or_else(|failure| Outcome::Failed(failure).into())
    }
}

/// The methods that are drawn for a backend that claims these.
fn drawn(supports: &Supports) -> Vec<Method> {
    let methods = offers().map(|offer| offer.method);
    methods.filter(|method| supports.claims(*method)).collect()
}

async fn run_sequences(target: &Target, options: Options) -> Result<Played, Failure> {
    if let Some(failure) = again(target).await? {
        return Ok(Outcome::Failed(failure).into());
    }
    let (count, at_once) = (SEQUENCES * options.long.max(1), options.jobs.min(AT_ONCE));
    let drawn = drawn(&target.supports);
    let mut compared = compare(target, 0..count, at_once, options.seed).await?;
    if compared.found.is_none() {
        // What chance has not led to is looked for.
        let missed = compared.coverage.uncovered(&drawn);
        aim(target, missed, options.seed, &mut compared).await?;
    }
    let outcome = match compared.found {
        Some(found) => Outcome::Failed(told(target.harness.as_ref(), found)),
        None => match compared.coverage.uncovered(&drawn) {
            // What comes after a difference that is known is not reached.
            missed if missed.is_empty() || compared.cut > 0 => Outcome::Passed,
            missed => {
                let missed = missed.iter().map(|(method, answer)| format!("{method} {answer}"));
                let missed: Vec<_> = missed.collect();
                Outcome::Failed(Failure::new(format!(
                    "{} sequences never reached: {}",
                    compared.sequences,
                    missed.join(", ")
                )))
            }
        },
    };
    Ok(Played {
        outcome,
        generated: Some(GeneratedReport {
            runs: compared.sequences,
            cut: compared.cut,
            calls: compared.coverage.calls(),
            coverage: compared.coverage,
        }),
    })
}

async fn run_histories(target: &Target, options: Options) -> Result<Played, Failure> {
    let (count, at_once) = (HISTORIES * options.long.max(1), options.jobs.min(AT_ONCE));
    let judged = examine_all(target, count, at_once, options).await?;
    Ok(Played {
        outcome: judged.found.map_or(Outcome::Passed, Outcome::Failed),
        generated: Some(GeneratedReport {
            runs: judged.histories,
            cut: judged.cut,
            calls: judged.coverage.calls(),
            coverage: judged.coverage,
        }),
    })
}

/// What comes of playing a kept sequence.
pub struct PlayedAgain {
    /// The calls with their answers, a line each, up to the one that was answered otherwise.
    pub story: Vec<String>,
    /// In what backend and model differ, if they do.
    pub difference: Option<Failure>,
}

/// Plays a kept sequence on a backend and on the model.
pub(crate) async fn play_recording(
    harness: &Arc<dyn Harness>,
    case: &CaseInfo,
    recording: &Recording,
) -> Result<PlayedAgain, HarnessError> {
    let deployment = deploy(harness, case).await.map_err(|failure| failure.message)?;
    if deployment.partitions != recording.partitions {
        return Err(format!(
            "the ids are made for {} partitions of flows, {} has {}",
            recording.partitions.num_flow_partitions,
            harness.name(),
            deployment.partitions.num_flow_partitions
        )
        .into());
    }
    let target = Target::new(harness, case, Universe::of(deployment.partitions)).await;
    let target = target.map_err(|failure| failure.message)?;
    let played = target.play(&recording.steps, &AtomicUsize::new(0)).await;
    let played = played.map_err(|failure| failure.message)?;
    Ok(PlayedAgain {
        story: played.story,
        difference: played
            .outcome
            .err()
            .map(|found| Failure { differences: found.differences, ..Failure::new(found.message) }),
    })
}

/// Plays the sequences that were kept, and tells of the first that differs still.
async fn again(target: &Target) -> Result<Option<Failure>, Failure> {
    let Some(directory) = target.harness.regressions() else {
        return Ok(None);
    };
    let kept = Recording::kept(&directory).map_err(|error| Failure::new(error.to_string()))?;
    for (path, recording) in kept {
        // Ids belong to a layout, so a deployment laid out otherwise cannot play it.
        if recording.partitions != target.universe.partitions {
            continue;
        }
        let played = target.play(&recording.steps, &AtomicUsize::new(0)).await?;
        if let Err(divergence) = played.outcome {
            let failure = failure(divergence, played.story);
            return Ok(Some(with_replay(target.harness.as_ref(), failure, &path)));
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
        differences: divergence.differences,
        story: story.into_iter().chain([last]).collect(),
        ..Failure::new(divergence.message)
    }
}

fn with_replay(harness: &dyn Harness, failure: Failure, path: &Path) -> Failure {
    let again = harness.play_again(path);
    let again = again.map_or_else(String::new, |command| format!("; `{command}` plays it again"));
    Failure {
        message: format!("{}; kept as {}{again}", failure.message, path.display()),
        ..failure
    }
}

/// The methods whose calls sequences and histories are made of.
pub fn drawn_methods() -> impl Iterator<Item = Method> {
    offers().map(|offer| offer.method)
}
