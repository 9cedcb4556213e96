//! Builders for the calls of schedulers and scanners: admission blocks, and limits of time.

use std::collections::BTreeSet;

use ff_core::backend::Namespace;
use ff_core::contracts::{
    BlockExecutionForAdmissionArgs, BlockRouteArgs, BlockingReason, RegisterWorkerArgs,
};
use ff_core::engine_backend::{EngineBackend, ExpirePhase};
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};

use super::builders::ExecutionBuilder;
use super::callers_now::CALLERS_NOW;
use super::world::World;

impl ExecutionBuilder {
    /// Its attempts have so many milliseconds each.
    #[must_use]
    pub(crate) fn attempts_of_ms(self, millis: u64) -> Self {
        self.policy(|policy| {
            let timeouts = policy.timeout_policy.get_or_insert_default();
            timeouts.attempt_timeout_ms = Some(millis);
        })
    }

    #[must_use]
    pub(crate) fn deadline_at(self, at: TimestampMs) -> Self {
        self.with(|args| args.execution_deadline_at = Some(at))
    }
}

/// A registration of an instance for the lane `a`, with nothing special about it.
pub(crate) fn registering(instance: &str, ttl: u64) -> RegisterWorkerArgs {
    RegisterWorkerArgs::new(
        WorkerId::new("worker"),
        WorkerInstanceId::new(instance),
        BTreeSet::from([LaneId::new("a")]),
        BTreeSet::from(["cpu".to_owned()]),
        ttl,
        Namespace::new("tenant"),
        CALLERS_NOW,
    )
}

impl World {
    /// A block without a detail.
    pub(crate) fn blocking(
        &self,
        id: &ExecutionId,
        reason: BlockingReason,
    ) -> BlockExecutionForAdmissionArgs {
        let (lane, partition) = (self.lane_of(id), self.partition_of(id));
        BlockExecutionForAdmissionArgs::new(id.clone(), lane, partition, reason, None, CALLERS_NOW)
    }

    /// A block until a worker comes, without a detail.
    pub(crate) fn routing(&self, id: &ExecutionId) -> BlockRouteArgs {
        BlockRouteArgs::new(
            id.clone(),
            self.lane_of(id),
            self.partition_of(id),
            BlockingReason::WaitingForCapableWorker.reason_code().to_owned(),
            String::new(),
            CALLERS_NOW,
        )
    }

    pub(crate) async fn unblock(
        &self,
        id: &ExecutionId,
        expected_reason: &str,
    ) -> Result<(), EngineError> {
        let (partition, lane) = (self.partition_of(id), self.lane_of(id));
        self.unblock_execution(partition, &lane, id, expected_reason, CALLERS_NOW).await
    }

    /// Holds an execution to a limit of time.
    pub(crate) async fn time_out(
        &self,
        id: &ExecutionId,
        phase: ExpirePhase,
    ) -> Result<(), EngineError> {
        self.expire_execution(self.partition_of(id), id, phase, CALLERS_NOW).await
    }
}
