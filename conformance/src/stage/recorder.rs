//! The backend as a case sees it: every call is recorded, and calls of methods that the backend
//! does not claim are checked to be unavailable.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::Capabilities;
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;

use super::failure::told;

/// The recorder between a case and a backend.
pub struct Recorder {
    backend: Arc<dyn EngineBackend>,
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
    pub(crate) fn new(backend: Arc<dyn EngineBackend>) -> Self {
        Self {
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

    /// The method that was called last.
    pub(crate) fn last(&self) -> Option<Method> {
        *lock(&self.last)
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
        let answer = call.send(self.backend.as_ref()).await;
        *lock(&self.last) = Some(method);
        if !self.claims(method) {
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
