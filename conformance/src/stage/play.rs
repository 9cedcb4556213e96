//! Cases, who plays them, and what comes of it.

use std::fmt;
use std::num::NonZero;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ff_core::contract::Version;

use super::case::{CaseInfo, Need, Verdict};
use super::coverage::GeneratedReport;
use super::deploy::{deploy, deploy_second};
use super::failure::Failure;
use super::harness::{Deployment, Harness};
use super::time::Waited;
use super::world::World;

/// How long a case may take before it counts as failed: it never ends. Cases share a machine.
const LIMIT: Duration = Duration::from_mins(1);

/// How often that may pass in a case that goes on making calls.
const LIMITS: u32 = 5;

/// How many of the last calls a failure tells.
const STORY: usize = 12;

/// A case, with who plays it.
#[derive(Clone)]
pub struct Case {
    info: CaseInfo,
    play: Arc<dyn Play>,
}

impl Case {
    pub(crate) fn new(info: CaseInfo, play: impl Play + 'static) -> Self {
        Self { info, play: Arc::new(play) }
    }

    pub(crate) async fn play(&self, stage: Stage) -> Played {
        self.play.play(stage).await
    }
}

impl Deref for Case {
    type Target = CaseInfo;

    fn deref(&self) -> &CaseInfo {
        &self.info
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

/// Plays a case.
#[async_trait]
pub(crate) trait Play: Send + Sync {
    async fn play(&self, stage: Stage) -> Played;
}

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
    /// Whether it is enough that something is found in overlapping calls: not in how few it can be told.
    pub brief: bool,
    /// The version of the contract that the backend is held to; what fails by newer clauses is told apart.
    pub contract: Version,
}

impl Default for Options {
    fn default() -> Self {
        // More of them wait for each other than get anything done.
        let jobs = 2 * std::thread::available_parallelism().map_or(2, NonZero::get);
        let contract = Version::latest();
        Self { seed: 0, jobs, shuffle: false, repeat: 1, long: 1, brief: false, contract }
    }
}

/// What a case is played with: an empty deployment that has all it needs, and a way to others.
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) deployment: Deployment,
}

/// A case on a backend.
pub(crate) struct Scene {
    pub(crate) harness: Arc<dyn Harness>,
    pub(crate) case: CaseInfo,
    pub(crate) options: Options,
    pub(crate) waited: Waited,
}

impl Scene {
    /// An empty deployment, once those before it are gone.
    pub(crate) async fn deploy(&self) -> Result<Deployment, Failure> {
        deploy(&self.harness, &self.case).await
    }

    /// Each case draws from a sequence of its own, whatever the order it runs in.
    pub(crate) fn seed(&self) -> u64 {
        let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.case.slug.bytes().fold(self.options.seed, mix)
    }
}

/// What comes of a case that is played.
pub(crate) struct Played {
    pub(crate) outcome: Outcome,
    /// What was generated for it.
    pub(crate) generated: Option<GeneratedReport>,
}

pub(crate) enum Outcome {
    Passed,
    /// A method is not claimed without which there is nothing to check.
    Unsupported(String),
    /// It would take longer than its author has patience.
    Skipped(String),
    Failed(Failure),
}

impl Outcome {
    /// What a verdict means on a backend that claims all that was called.
    pub(crate) fn of(verdict: Verdict) -> Self {
        verdict.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

impl From<Outcome> for Played {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, generated: None }
    }
}

pub(crate) type Running = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// A function that is given a world.
pub(crate) struct InWorld(pub(crate) fn(World) -> Running);

#[async_trait]
impl Play for InWorld {
    async fn play(&self, stage: Stage) -> Played {
        play_in_world(stage, self.0).await
    }
}

/// A function that repeats something this many times, and more often in a run that `--long` lengthens.
pub(crate) struct ManyTimes(pub(crate) usize, pub(crate) fn(World, usize) -> Running);

#[async_trait]
impl Play for ManyTimes {
    async fn play(&self, stage: Stage) -> Played {
        let times = self.0 * stage.scene.options.long.max(1);
        play_in_world(stage, |world| (self.1)(world, times)).await
    }
}

/// Plays a case that is a function of one world.
pub(crate) async fn play_in_world(stage: Stage, body: impl FnOnce(World) -> Running) -> Played {
    in_world(stage, body).await.map_or_else(Outcome::Failed, Ended::outcome).into()
}

/// A world, and the verdict on it.
pub(crate) struct Ended {
    world: World,
    pub(crate) verdict: Verdict,
}

/// Gives a function the world of this stage.
pub(crate) async fn in_world(
    stage: Stage,
    body: impl FnOnce(World) -> Running,
) -> Result<Ended, Failure> {
    let Stage { scene, deployment } = stage;
    let seed = scene.seed();
    let needs_another = scene.case.needs.contains(&Need::Elsewhere);
    let second =
        if needs_another { Some(deploy_second(&scene.harness, &scene.case).await?) } else { None };
    let elsewhere =
        second.as_ref().map(|second| World::new(second, None, !seed, scene.waited.clone()));
    let world = World::new(&deployment, elsewhere, seed, scene.waited.clone());
    let mut verdict = in_task(body(world.clone()), &world).await;
    if let Err(failure) = &mut verdict {
        if failure.story.is_empty() {
            let story = world.story();
            failure.story = story[story.len().saturating_sub(STORY)..].to_vec();
        }
        failure.cause = world.last().map(|method| failure.cause_by(method));
    }
    Ok(Ended { world, verdict })
}

impl Ended {
    /// A method that is not claimed has to say so; whatever else the case found says nothing then.
    pub(crate) fn outcome(self) -> Outcome {
        let Some(unclaimed) = self.world.unclaimed() else {
            return match self.verdict {
                Err(failure) if self.world.is_impatient() => Outcome::Skipped(failure.message),
                verdict => Outcome::of(verdict),
            };
        };
        let form = if self.world.claims(unclaimed.method) { " in this form" } else { "" };
        let told = format!("{} is not claimed{form}", unclaimed.method);
        match unclaimed.but_answered {
            None => Outcome::Unsupported(told),
            Some(answer) => {
                let why = format!("{told}, so it answers Unavailable, not {answer}");
                Outcome::Failed(Failure { story: self.world.story(), ..Failure::new(why) })
            }
        }
    }
}

/// A task of its own, so that a panic or a call that never returns is a failure like any other.
async fn in_task(running: Running, world: &World) -> Verdict {
    let mut task = tokio::spawn(running);
    let mut made = 0;
    for _ in 0..LIMITS {
        match tokio::time::timeout(LIMIT, &mut task).await {
            Ok(Ok(verdict)) => return verdict,
            Ok(Err(panic)) => return Err(Failure::new(format!("the case panicked: {panic}"))),
            Err(_) => {}
        }
        // A case that makes many calls is slow where the machine is, and not stuck.
        let before = std::mem::replace(&mut made, world.calls_made());
        if made == before {
            task.abort();
            return Err(Failure::new(format!("the case has made no call for {LIMIT:?}")));
        }
    }
    task.abort();
    Err(Failure::new(format!("the case took longer than {:?}", LIMIT * LIMITS)))
}

/// Cases that are declared in one place of the source.
pub(crate) struct Declaration {
    pub(crate) module: &'static str,
    pub(crate) line: u32,
    pub(crate) cases: fn(&Topic) -> Vec<Case>,
}

inventory::collect!(Declaration);

/// Declares what a function makes of the module's topic.
macro_rules! declare {
    ($cases:expr) => {
        inventory::submit! {
            $crate::stage::play::Declaration { module: module_path!(), line: line!(), cases: $cases }
        }
    };
}

pub(crate) use declare;

/// What the slugs of a module's cases begin with: `executions.create`.
pub(crate) struct Topic(String);

impl Topic {
    pub(crate) fn case(
        &self,
        name: &str,
        title: &'static str,
        clauses: &'static [&'static str],
        needs: &'static [Need],
        play: impl Play + 'static,
    ) -> Case {
        // Cases are made once for the life of the process.
        let slug = ff_core::intern(&format!("{}.{name}", self.0));
        Case::new(CaseInfo { slug, title, clauses, needs }, play)
    }
}

impl Topic {
    /// Whether it belongs to this chapter.
    pub(crate) fn is_of(&self, chapter: &str) -> bool {
        self.0.split('.').next() == Some(chapter)
    }

    /// Another topic of this one's chapter.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let chapter = self.0.split('.').next().unwrap_or_default();
        Self(format!("{chapter}.{name}"))
    }
}

impl Declaration {
    pub(crate) fn topic(&self) -> Topic {
        let path = self.module.split("::").skip_while(|part| *part != "cases").skip(1);
        Topic(path.collect::<Vec<_>>().join(".").replace('_', "-"))
    }
}
