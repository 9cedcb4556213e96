//! Calls that wait: claims for work, cancellations for members.

use std::future::Future;
use std::time::{Duration, Instant};

use ff_core::backend::{CancelFlowWait, ClaimPolicy, Handle};
use ff_core::engine_backend::cancel_flow_wait_deadline;
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

/// How often a waiting cancellation looks.
const POLL: Duration = Duration::from_millis(100);

/// Looks whether a cancellation is done until it is, or has waited for as long as it may (CAN-013,
/// CAN-033).
pub async fn until_cancelled<F>(
    wait: CancelFlowWait,
    is_done: impl Fn() -> F + Sync,
) -> Result<(), EngineError>
where
    F: Future<Output = Result<bool, EngineError>> + Send,
{
    let Some(limit) = cancel_flow_wait_deadline(wait) else {
        return Ok(());
    };
    let started = Instant::now();
    while !is_done().await? {
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(EngineError::Timeout {
                op: "cancel_flow",
                elapsed: limit,
            });
        }
        tokio::time::sleep(left.min(POLL)).await;
    }
    Ok(())
}
