//! Claims that wait for work.

use std::future::Future;
use std::time::{Duration, Instant};

use ff_core::backend::{ClaimPolicy, Handle};
use ff_core::engine_error::EngineError;
use tokio::sync::Notify;

/// How long a waiting claim relies on being woken before it looks by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The claims of one backend that wait.
#[derive(Default)]
pub struct WaitingClaims {
    written: Notify,
}

impl WaitingClaims {
    /// Lets waiting claims look now. To be called after whatever may have made work, never after a
    /// claim: waiting claims would wake each other.
    pub fn wake(&self) {
        self.written.notify_waiters();
    }

    /// Looks for work until there is some or `max_wait` has passed (CLM-004). Nothing is held while
    /// it waits, so a claim that is dropped meanwhile has taken nothing.
    pub async fn claim<F>(
        &self,
        policy: &ClaimPolicy,
        look: impl Fn() -> F + Sync,
    ) -> Result<Option<Handle>, EngineError>
    where
        F: Future<Output = Result<Option<Handle>, EngineError>> + Send,
    {
        let started = Instant::now();
        loop {
            let written = self.written.notified();
            let found = look().await?;
            let left = policy
                .max_wait
                .and_then(|limit| limit.checked_sub(started.elapsed()));
            match left {
                Some(left) if found.is_none() && !left.is_zero() => {
                    // That nothing was written is fine: it looks again.
                    let _ = tokio::time::timeout(left.min(LOOK_AGAIN), written).await;
                }
                _ => return Ok(found),
            }
        }
    }
}
