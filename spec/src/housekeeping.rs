//! What is due, as a list of calls.

use async_trait::async_trait;

use crate::call::Call;
use crate::engine_error::EngineError;
use crate::partition::PartitionKey;

/// Tells what time, or a crash between two calls, has made due. Optional for a backend: whoever runs
/// an engine sends the calls, again and again, and nothing waits for ever. Chapter `housekeeping` of
/// the contract binds it.
#[async_trait]
pub trait Housekeeping: Send + Sync {
    /// The calls that see to what is due in this partition, at most `limit` and at most 1 000. Sending
    /// one that is no longer due does no harm (HSK-001 to HSK-008).
    ///
    /// A key of a partition that holds no executions is `Validation(InvalidInput)`.
    async fn due(&self, partition: &PartitionKey, limit: usize) -> Result<Vec<Call>, EngineError>;
}
