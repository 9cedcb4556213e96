//! The scripted backend.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ff_core::backend::{BackendTag, PrepareOutcome};
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::{BackendIdentity, Capabilities, Supports, Version};
use ff_core::clock::Clock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::housekeeping::Housekeeping;
use ff_core::intern;
use ff_core::partition::{PartitionConfig, PartitionKey};
use ff_core::types::TimestampMs;
use ff_transactional::{Settings, Transactional};

use crate::memory::MemoryStore;
use crate::script::{Answer, Expectation, Unmet};

/// The model: the engine's rules over memory.
pub type Model = Transactional<MemoryStore>;

/// A backend that answers what it is told to, and remembers what it was asked.
///
/// ```
/// use ff_core::call::{Call, Method, Reply};
/// use ff_core::engine_backend::EngineBackend;
/// use ff_mock::MockBackend;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mock = MockBackend::new();
/// mock.reply(Reply::ServerTimeMs(7), |line| line.times(1));
///
/// assert_eq!(mock.server_time_ms().await.unwrap(), 7);
/// assert_eq!(mock.calls(), [Call::ServerTimeMs {}]);
/// mock.verify();
/// # });
/// ```
pub struct MockBackend {
    script: Mutex<Vec<Expectation>>,
    log: Mutex<Vec<Call>>,
    model: Model,
    /// Whether the model also answers what the script does not.
    conforming: bool,
}

impl Default for MockBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl MockBackend {
    /// A mock that answers `Unavailable { op: "mock::<method>" }` to whatever is not scripted. The
    /// methods whose default in the trait already works keep it.
    pub fn new() -> Self {
        Self::with(Clock::default(), false)
    }

    /// The model: everything that is not scripted follows the contract.
    pub fn conforming() -> Self {
        Self::conforming_with(Clock::default())
    }

    /// The model on this clock.
    pub fn conforming_with(clock: impl Into<Clock>) -> Self {
        Self::with(clock.into(), true)
    }

    fn with(clock: Clock, conforming: bool) -> Self {
        let settings = Settings::new(BackendTag::Mock, PartitionConfig::default());
        Self {
            script: Mutex::default(),
            log: Mutex::default(),
            model: Transactional::new(MemoryStore::new(clock), settings),
            conforming,
        }
    }

    /// Answers calls of the reply's method with it. `line` narrows the rule: `|line| line` for
    /// every call, or [`Expectation::times`] and [`Expectation::when`].
    pub fn reply(&self, reply: Reply, line: impl FnOnce(Expectation) -> Expectation) {
        let method = reply.method();
        self.on(method, Answer::Reply(Box::new(reply)), line);
    }

    /// Refuses calls of the method.
    pub fn refuse(
        &self,
        method: Method,
        error: EngineError,
        line: impl FnOnce(Expectation) -> Expectation,
    ) {
        self.on(method, Answer::Error(error), line);
    }

    /// Lets calls of the method through to a model.
    pub fn call_through(&self, method: Method, line: impl FnOnce(Expectation) -> Expectation) {
        self.on(method, Answer::CallThrough, line);
    }

    fn on(&self, method: Method, answer: Answer, line: impl FnOnce(Expectation) -> Expectation) {
        lock(&self.script).push(line(Expectation::new(method, answer)));
    }

    /// The records of the model behind it.
    pub fn store(&self) -> &MemoryStore {
        self.model.store()
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.log).clone()
    }

    /// The expectations that were met less often than they say.
    pub fn unmet(&self) -> Vec<Unmet> {
        lock(&self.script).iter().filter_map(Expectation::unmet).collect()
    }

    /// Panics, and says which, if there are unmet expectations.
    pub fn verify(&self) {
        let unmet = self.unmet();
        let lines: Vec<_> = unmet.iter().map(|line| format!("\n  {line}")).collect();
        assert!(unmet.is_empty(), "the mock was not called as scripted:{}", lines.concat());
    }

    /// What the first matching line says; the line counts the call.
    fn scripted(&self, call: &Call) -> Option<Answer> {
        let mut script = lock(&self.script);
        let line = script.iter_mut().find(|line| line.is_for(call))?;
        line.used += 1;
        Some(line.answer.clone())
    }
}

/// What is due in the model.
#[async_trait]
impl Housekeeping for MockBackend {
    async fn due(&self, partition: &PartitionKey, limit: usize) -> Result<Vec<Call>, EngineError> {
        self.model.due(partition, limit).await
    }
}

#[async_trait]
impl Dispatch for MockBackend {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        lock(&self.log).push(call.clone());
        match self.scripted(&call) {
            Some(Answer::Reply(reply)) => Ok(*reply),
            Some(Answer::Error(error)) => Err(error),
            Some(Answer::CallThrough) => self.model.dispatch(call).await,
            None if self.conforming => self.model.dispatch(call).await,
            None => match &call {
                Call::Prepare {} => Ok(Reply::Prepare(PrepareOutcome::NoOp)),
                Call::ShutdownPrepare { .. } => Ok(Reply::ShutdownPrepare(())),
                Call::ServerTimeMs {} => {
                    Ok(Reply::ServerTimeMs(TimestampMs::now().0.unsigned_abs()))
                }
                _ => Err(EngineError::Unavailable {
                    op: intern(&format!("mock::{}", call.method())),
                }),
            },
        }
    }

    fn backend_label(&self) -> &'static str {
        Dispatch::backend_label(&self.model)
    }

    /// What the model claims, or for a bare mock the methods its script mentions.
    fn capabilities(&self) -> Capabilities {
        if self.conforming {
            return Dispatch::capabilities(&self.model);
        }
        Capabilities::new(
            BackendIdentity::new(BackendTag::Mock.as_str(), Version::new(0, 1, 0), "scripted"),
            Supports::of(lock(&self.script).iter().map(|line| line.method)),
        )
    }

    fn as_any(&self) -> &(dyn Any + 'static) {
        self
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
