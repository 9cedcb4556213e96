//! What a backend author provides.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ff_core::call::{Method, Reply};
use ff_core::clock::{Clock, ManualClock};
use ff_core::contract::Version;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::PartitionConfig;
use ff_core::types::ExecutionId;

use super::case::CaseInfo;
use super::time::Wall;

/// The environment variable that sets the seed of a test binary.
pub(crate) const SEED_VARIABLE: &str = "FF_CONFORMANCE_SEED";

/// How long a case waits in all where there is no clock to turn, unless the author says otherwise.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no deployment.
pub type HarnessError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Deploys a backend, once for each case.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// What reports call the backend.
    fn name(&self) -> &str;

    /// An empty deployment that nobody else uses. Its scanners, if it has any, are off (SYS-027).
    async fn deploy(&self, case: &CaseInfo) -> Result<Deployment, HarnessError>;

    /// A second deployment, apart from a first that is there: for cases about two.
    async fn deploy_second(&self, case: &CaseInfo) -> Result<Deployment, HarnessError> {
        self.deploy(case).await
    }

    /// Whether there can be only one case at a time: then nothing is deployed before what was deployed
    /// for another case is dropped.
    fn is_exclusive(&self) -> bool {
        false
    }

    /// Called once, when all cases are over: removes what their deployments left with the storage.
    async fn finish(&self) -> Result<(), HarnessError> {
        Ok(())
    }

    /// The version of the contract that the backend is held to. Newer clauses that it breaks are told apart.
    fn contract(&self) -> Version {
        Version::latest()
    }

    /// Differences from the model that generated calls pass over: a sequence ends where one is met and counts as
    /// cut, and the others go on.
    fn known_differences(&self) -> Vec<KnownDifference> {
        Vec::new()
    }

    /// Where generated sequences that failed are kept; every later run plays them first.
    fn regressions(&self) -> Option<PathBuf> {
        Some(PathBuf::from("regressions"))
    }

    /// The command that plays a kept sequence again, if there is one.
    fn play_again(&self, _file: &Path) -> Option<String> {
        None
    }

    /// How the backend came by its storage, for the report: `embedded`, `container …`.
    fn provisioned(&self) -> String {
        "embedded".to_owned()
    }

    /// The version of the storage, where there is one to tell.
    fn server_version(&self) -> Option<String> {
        None
    }

    /// The command that runs just this case again, for failures.
    fn rerun(&self, slug: &str, seed: u64) -> String {
        let test = std::env::current_exe().ok();
        let test = test.as_deref().and_then(Path::file_stem).unwrap_or_default();
        let test = test.to_string_lossy();
        // Cargo adds a dash and a hash to a test's name.
        let test = test.rsplit_once('-').map_or(&*test, |(name, _)| name);
        format!("{SEED_VARIABLE}={seed} cargo test --test {test} -- --exact {slug}")
    }
}

/// How a backend answers a method otherwise than the model, each by `ok` or by the code of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDifference {
    pub method: Method,
    pub expected: String,
    pub answered: String,
}

impl KnownDifference {
    /// Whether this is it.
    pub(crate) fn is(&self, method: Method, expected: &Answered, answered: &Answered) -> bool {
        self.method == method
            && self.expected == shortly(expected)
            && self.answered == shortly(answered)
    }

    /// Whether an answer may be its.
    pub(crate) fn may_be(&self, method: Method, answered: &Answered) -> bool {
        self.method == method && self.answered == shortly(answered)
    }
}

type Answered = Result<Reply, EngineError>;

/// `ok`, or the code of a refusal.
fn shortly(answer: &Answered) -> String {
    answer.as_ref().map_or_else(EngineError::code, |_| "ok".to_owned())
}

/// A backend, and what else a case may use of it.
pub struct Deployment {
    pub(crate) backend: Arc<dyn EngineBackend>,
    pub(crate) clock: Option<ManualClock>,
    pub(super) wall: Wall,
    pub(crate) partitions: PartitionConfig,
    pub(crate) nemesis: Option<Arc<dyn Nemesis>>,
    pub(crate) housekeeping: Option<Arc<dyn Housekeeping>>,
    pub(crate) vandal: Option<Arc<dyn Vandal>>,
    pub(crate) settling: Option<Arc<dyn Settling>>,
    pub(crate) peers: Vec<Arc<dyn EngineBackend>>,
    /// Dropped when the case is over.
    pub(crate) guard: Option<Guard>,
}

impl Deployment {
    pub fn new(backend: Arc<dyn EngineBackend>) -> Self {
        Self {
            backend,
            clock: None,
            wall: Wall { patience: PATIENCE, skew: Duration::ZERO },
            partitions: PartitionConfig::default(),
            nemesis: None,
            housekeeping: None,
            vandal: None,
            settling: None,
            peers: Vec::new(),
            guard: None,
        }
    }

    pub fn backend(&self) -> &Arc<dyn EngineBackend> {
        &self.backend
    }

    /// The clock that the backend was built with, if the suite may turn it.
    pub fn clock(&self) -> Option<&ManualClock> {
        self.clock.as_ref()
    }

    pub fn housekeeping(&self) -> Option<&dyn Housekeeping> {
        self.housekeeping.as_deref()
    }

    pub fn nemesis(&self) -> Option<&dyn Nemesis> {
        self.nemesis.as_deref()
    }

    /// The clock that the backend was built with. If it can be turned nothing ever waits; otherwise cases wait
    /// for time to pass, and those that need a clock to the millisecond or for hours are skipped.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = match clock.into() {
            Clock::Manual(clock) => Some(clock),
            Clock::Server => None,
        };
        self
    }

    /// How long a case may wait in all where no clock can be turned, two seconds by default. What would take
    /// longer is skipped.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.wall.patience = patience;
        self
    }

    /// How far the backend's clock may be from this machine's where it cannot be turned; not at all by default.
    /// Times are compared less exactly by it, and waits become longer.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.wall.skew = skew;
        self
    }

    /// The layout that the backend was built with, if it is not the default.
    #[must_use]
    pub fn with_partitions(mut self, partitions: PartitionConfig) -> Self {
        self.partitions = partitions;
        self
    }

    /// Means to cut off the server.
    #[must_use]
    pub fn with_nemesis(mut self, nemesis: Arc<dyn Nemesis>) -> Self {
        self.nemesis = Some(nemesis);
        self
    }

    /// Means to damage what is stored. Without it, cases about that are skipped.
    #[must_use]
    pub fn with_vandal(mut self, vandal: Arc<dyn Vandal>) -> Self {
        self.vandal = Some(vandal);
        self
    }

    /// Means to wait for what the backend does by itself, such as promoting what is delayed or cascading what has
    /// ended. Cases then look at a backend that has nothing left to do.
    #[must_use]
    pub fn with_settling(mut self, settling: Arc<dyn Settling>) -> Self {
        self.settling = Some(settling);
        self
    }

    /// What tells what is due. Without it, cases about that are skipped.
    #[must_use]
    pub fn with_housekeeping(mut self, housekeeping: Arc<dyn Housekeeping>) -> Self {
        self.housekeeping = Some(housekeeping);
        self
    }

    /// Other instances of the backend over the same storage and clock, each with a connection of its
    /// own, as other processes would have. Histories of calls that overlap are spread over all.
    #[must_use]
    pub fn with_peers(mut self, peers: Vec<Arc<dyn EngineBackend>>) -> Self {
        self.peers = peers;
        self
    }

    /// Something to drop when the case is over.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send) -> Self {
        self.guard = Some(Guard { _kept: Mutex::new(Box::new(guard)) });
        self
    }
}

/// What is dropped with a deployment; behind a mutex, as a deployment is shared between threads.
pub(crate) struct Guard {
    _kept: Mutex<Box<dyn Any + Send>>,
}

/// Does to a server's clients what happens to clients. A loss is of every connection; others can be
/// made at once. One loss is to come at a time.
pub trait Nemesis: Send + Sync + 'static {
    /// The request that follows `after` others does not reach the server.
    fn lose_request(&self, after: usize);

    /// The request that follows `after` others is answered, and the answer does not reach the client.
    fn lose_answer(&self, after: usize);

    /// Calls the loss off. Whether it was still to come.
    fn spare(&self) -> bool;

    /// Requests so far.
    fn requests(&self) -> usize;
}

/// Waits for what a backend does by itself.
#[async_trait]
pub trait Settling: Send + Sync + 'static {
    /// Returns once nothing is left to do of what follows from the calls so far and from the clock.
    async fn settle(&self) -> Result<(), HarnessError>;
}

/// Damages what is stored, past the backend.
#[async_trait]
pub trait Vandal: Send + Sync + 'static {
    /// Replaces the record of this execution by something that cannot be decoded.
    async fn damage(&self, execution: &ExecutionId) -> Result<(), HarnessError>;

    /// Puts each of two executions of one partition into the indexes where the other one belongs, but for the one by id;
    /// false if there are no indexes apart from the records.
    async fn exchange(&self, one: &ExecutionId, other: &ExecutionId) -> Result<bool, HarnessError>;
}
