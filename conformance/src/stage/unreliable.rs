//! What a lost connection is to a backend that has none: a call that does not arrive, or whose answer
//! does not.

use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;

use super::harness::Nemesis;

/// An embedded backend, with a caller that loses calls and answers.
pub struct Unreliable {
    backend: Arc<dyn EngineBackend>,
    /// Whose connection a lost one is said to be.
    blamed: &'static str,
    loss: Mutex<Option<Loss>>,
    calls: AtomicUsize,
}

struct Loss {
    /// Calls that come before it.
    after: usize,
    is_answered: bool,
}

impl Unreliable {
    pub fn new(backend: Arc<dyn EngineBackend>) -> Arc<Self> {
        let blamed = backend.backend_label();
        Self::blaming(backend, blamed)
    }

    pub(crate) fn blaming(backend: Arc<dyn EngineBackend>, blamed: &'static str) -> Arc<Self> {
        Arc::new(Self { backend, blamed, loss: Mutex::default(), calls: AtomicUsize::new(0) })
    }

    fn loss(&self) -> MutexGuard<'_, Option<Loss>> {
        self.loss.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loss that comes with this call.
    fn fate(&self) -> Option<Loss> {
        let mut loss = self.loss();
        match loss.as_mut() {
            Some(coming) if coming.after > 0 => {
                coming.after -= 1;
                None
            }
            _ => loss.take(),
        }
    }
}

impl Nemesis for Unreliable {
    fn lose_request(&self, after: usize) {
        let is_answered = false;
        *self.loss() = Some(Loss { after, is_answered });
    }

    fn lose_answer(&self, after: usize) {
        let is_answered = true;
        *self.loss() = Some(Loss { after, is_answered });
    }

    fn spare(&self) -> bool {
        self.loss().take().is_some()
    }

    fn requests(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Dispatch for Unreliable {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let Some(loss) = self.fate() else {
            return call.send(self.backend.as_ref()).await;
        };
        if loss.is_answered {
            // What it answered is what gets lost.
            let _ = call.send(self.backend.as_ref()).await;
        }
        let lost = io::Error::new(io::ErrorKind::ConnectionReset, "the connection is lost");
        Err(EngineError::transport(self.blamed, lost))
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
