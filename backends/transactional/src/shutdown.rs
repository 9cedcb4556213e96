//! Shutting down: no call begins to wait any more, and those that wait are waited for.

use std::time::Duration;

use ff_core::backend::CancelFlowWait;
use ff_core::call::Call;
use ff_core::engine_error::EngineError;
use tokio::sync::watch;

/// The calls of one backend that wait (SYS-040).
#[derive(Default)]
pub struct Waits(watch::Sender<Waiting>);

#[derive(Default)]
struct Waiting {
    is_over: bool,
    calls: usize,
}

impl Waits {
    /// Counts a call that may wait until what is returned is dropped. After a shutdown there are none.
    pub fn admit(&self, call: &Call) -> Result<Option<Wait<'_>>, EngineError> {
        let waits = match call {
            Call::Claim { policy, .. } => policy.max_wait.is_some(),
            Call::CancelFlow { wait, .. } => *wait != CancelFlowWait::NoWait,
            _ => false,
        };
        if !waits {
            return Ok(None);
        }
        let admitted = self.0.send_if_modified(|waiting| {
            waiting.calls += usize::from(!waiting.is_over);
            !waiting.is_over
        });
        if admitted {
            Ok(Some(Wait(self)))
        } else {
            Err(EngineError::Unavailable { op: call.method().as_str() })
        }
    }

    /// Lets no more calls wait, and gives those that do this long.
    pub async fn shut_down(&self, grace: Duration) -> Result<(), EngineError> {
        self.0.send_modify(|waiting| waiting.is_over = true);
        let mut seen = self.0.subscribe();
        let ended = seen.wait_for(|waiting| waiting.calls == 0);
        match tokio::time::timeout(grace, ended).await {
            Ok(_) => Ok(()),
            Err(_) => Err(EngineError::Timeout { op: "shutdown_prepare", elapsed: grace }),
        }
    }
}

/// A call that may wait.
pub struct Wait<'w>(&'w Waits);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|waiting| waiting.calls -= 1);
    }
}
