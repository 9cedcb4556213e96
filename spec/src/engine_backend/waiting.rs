//! Waiting for a flow to be cancelled.

use std::time::Duration;

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

/// Polls until the flow is cancelled or gone; after `deadline` it is `Timeout`.
pub async fn wait_for_flow_cancellation<B: EngineBackend + ?Sized>(
    backend: &B,
    flow_id: &FlowId,
    deadline: Duration,
) -> Result<(), EngineError> {
    let cancelled = async {
        loop {
            match backend.describe_flow(flow_id).await? {
                Some(flow) if flow.public_flow_state != "cancelled" => {}
                _ => return Ok(()),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let timed_out = EngineError::Timeout { op: "cancel_flow", elapsed: deadline };
    tokio::time::timeout(deadline, cancelled).await.unwrap_or(Err(timed_out))
}
