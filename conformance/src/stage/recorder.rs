//! The backend as a case sees it: every call is recorded, and calls of methods that the backend
//! does not claim are checked to be unavailable.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::TimestampMs;

use super::callers_now::made_at;
use super::failure::told;
use super::harness::{Deployment, Settling};

/// The recorder between a case and a backend.
pub struct Recorder {
    backend: Arc<dyn EngineBackend>,
    clock: Option<ManualClock>,
    settling: Option<Arc<dyn Settling>>,
    /// Whether something has happened that the backend may be busy with.
    unsettled: AtomicBool,
    capabilities: Capabilities,
    unclaimed: Mutex<Option<Unclaimed>>,
    calls: Mutex<Vec<(Method, String)>>,
    last: Mutex<Option<Method>>,
}

/// The first call of a method that the backend does not claim.
#[derive(Clone)]
pub(crate) struct Unclaimed {
    pub(crate) method: Method,
    /// What it answered, if not `Unavailable` under the method's name.
    pub(crate) but_answered: Option<String>,
}

impl Recorder {
    pub(crate) fn new(deployment: &Deployment) -> Self {
        let backend = Arc::clone(&deployment.backend);
        Self {
            clock: deployment.clock.clone(),
            settling: deployment.settling.clone(),
            unsettled: AtomicBool::new(true),
            capabilities: backend.capabilities(),
            backend,
            unclaimed: Mutex::default(),
            calls: Mutex::default(),
            last: Mutex::default(),
        }
    }

    pub(crate) fn claims(&self, method: Method) -> bool {
        self.capabilities.supports.claims(method)
    }

    pub(crate) fn unclaimed(&self) -> Option<Unclaimed> {
        lock(&self.unclaimed).clone()
    }

    /// The clock's time, or the machine's where the clock is not known.
    pub fn now(&self) -> TimestampMs {
        self.clock.as_ref().map_or_else(TimestampMs::now, ManualClock::now)
    }

    /// Something has happened that the backend may do more about by itself.
    pub(crate) fn unsettle(&self) {
        self.unsettled.store(true, Ordering::SeqCst);
    }

    /// Waits until it has.
    async fn settled(&self) -> Result<(), EngineError> {
        let Some(settling) = &self.settling else {
            return Ok(());
        };
        if !self.unsettled.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let settled = settling.settle().await;
        let backend = self.backend.backend_label();
        settled.map_err(|source| EngineError::Transport { backend, source })
    }

    /// The method that was called last.
    pub(crate) fn last(&self) -> Option<Method> {
        *lock(&self.last)
    }

    /// How many calls have changed something or were refused.
    pub(crate) fn calls_made(&self) -> usize {
        lock(&self.calls).len()
    }

    /// The calls that changed something or were refused, with how each was answered.
    pub(crate) fn story(&self) -> Vec<String> {
        let calls = lock(&self.calls);
        calls.iter().map(|(method, answer)| format!("{method} → {answer}")).collect()
    }
}

#[async_trait]
impl Dispatch for Recorder {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        let method = call.method();
        self.settled().await?;
        let call = made_at(call, self.now());
        let is_claimed = self.capabilities.supports.claims_call(&call);
        let answer = call.send(self.backend.as_ref()).await;
        *lock(&self.last) = Some(method);
        if !method.is_read() {
            self.unsettle();
        }
        if !is_claimed {
            let available =
                !matches!(&answer, Err(EngineError::Unavailable { op }) if *op == method.as_str());
            lock(&self.unclaimed).get_or_insert_with(|| Unclaimed {
                method,
                but_answered: available.then(|| told(&answer)),
            });
        }
        match &answer {
            Ok(_) if method.is_read() => {}
            Ok(_) => lock(&self.calls).push((method, "ok".to_owned())),
            Err(error) => lock(&self.calls).push((method, told_shortly(error))),
        }
        answer
    }

    fn backend_label(&self) -> &'static str {
        self.backend.backend_label()
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn as_any(&self) -> &(dyn Any + 'static) {
        self.backend.as_any()
    }
}

/// A refusal by its code, with the text of what no code tells.
fn told_shortly(error: &EngineError) -> String {
    match error {
        EngineError::Transport { .. } | EngineError::Unavailable { .. } => {
            format!("{} ({error})", error.code())
        }
        _ => error.code(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
