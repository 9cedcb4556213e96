//! Waiting for a flow to be cancelled.

use std::time::Duration;

use tokio::time::Instant;

use super::EngineBackend;
use crate::backend::CancelFlowWait;
use crate::engine_error::EngineError;
use crate::types::FlowId;

/// How long `cancel_flow` may wait; `None` for not at all.
pub fn cancel_flow_wait_deadline(wait: CancelFlowWait) -> Option<Duration> {
    match wait {
        CancelFlowWait::NoWait => None,
        CancelFlowWait::WaitTimeout(limit) => Some(limit),
        CancelFlowWait::WaitIndefinite => Some(Duration::from_mins(5)),
    }
}

/// How often a waiting cancellation looks.
const POLL: Duration = Duration::from_millis(100);

/// Looks until the flow is cancelled or gone; after `deadline` it is `Timeout` (CAN-033).
pub async fn wait_for_flow_cancellation<B: EngineBackend + ?Sized>(
    backend: &B,
    flow_id: &FlowId,
    deadline: Duration,
) -> Result<(), EngineError> {
    let is_done = || async {
        let flow = backend.describe_flow(flow_id).await?;
        Ok(flow.is_none_or(|flow| flow.public_flow_state == "cancelled"))
    };
    until_cancelled(deadline, is_done).await
}

/// Looks whether a cancellation is done until it is, or has waited for `limit`, by this host's
/// monotonic clock. It looks at least once, and each look is finished (CAN-033).
pub async fn until_cancelled<F>(
    limit: Duration,
    is_done: impl Fn() -> F + Sync,
) -> Result<(), EngineError>
where
    F: Future<Output = Result<bool, EngineError>> + Send,
{
    let started = Instant::now();
    while !is_done().await? {
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(EngineError::Timeout { op: "cancel_flow", elapsed: limit });
        }
        tokio::time::sleep(left.min(POLL)).await;
    }
    Ok(())
}
