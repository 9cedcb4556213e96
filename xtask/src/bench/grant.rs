//! Work is created, kept for a worker, claimed by it and completed, each by a call of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use ff_conformance::{HarnessError, plain_execution};
use ff_core::contracts::{
    ClaimExecutionArgs, ClaimExecutionResult, ClaimForWorkerArgs, ClaimForWorkerOutcome,
    CompleteExecutionArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{
    AttemptId, AttemptIndex, CancelSource, ExecutionId, LaneId, LeaseFence, LeaseId, TimestampMs,
    WorkerId, WorkerInstanceId,
};
use rand::Rng;
use uuid::Uuid;

use super::measure::{AsyncWorker, Times, timed};

/// Creates an execution, has whatever comes first on the lane kept for it, claims that and completes it.
pub(super) struct Worker {
    backend: Arc<dyn EngineBackend>,
    instance: WorkerInstanceId,
}

impl Worker {
    pub(super) fn new(backend: Arc<dyn EngineBackend>, number: usize) -> Self {
        Self { backend, instance: WorkerInstanceId::new(format!("worker-{number}")) }
    }
}

impl AsyncWorker for Worker {
    async fn work(&mut self, times: &mut Times) -> Result<(), HarnessError> {
        let lane = LaneId::new("bench");
        let partition = rand::rng().random_range(0..256);
        let id = ExecutionId::from_parts(partition, Uuid::new_v4());
        timed(times, self.backend.create_execution(plain_execution(id, lane.clone()))).await?;
        let id = loop {
            let asked = self.backend.claim_for_worker(asking(&lane, &self.instance));
            if let Some(id) = granted(timed(times, asked).await?) {
                break id;
            }
        };
        let claim = self.backend.claim_execution(claiming(id, &lane, &self.instance));
        let ClaimExecutionResult::Claimed(claimed) = timed(times, claim).await? else {
            return Err("what is kept for a worker is not claimed".into());
        };
        let complete = CompleteExecutionArgs {
            execution_id: claimed.execution_id,
            attempt_index: claimed.attempt_index,
            fence: Some(LeaseFence {
                lease_id: claimed.lease_id,
                lease_epoch: claimed.lease_epoch,
                attempt_id: claimed.attempt_id,
            }),
            result_encoding: None,
            result_payload: None,
            source: CancelSource::LeaseHolder,
            now: TimestampMs::now(),
        };
        timed(times, self.backend.complete_execution(complete)).await?;
        Ok(())
    }
}

/// Work for a minute, for a worker that offers nothing.
pub(super) fn asking(lane: &LaneId, instance: &WorkerInstanceId) -> ClaimForWorkerArgs {
    let (worker, offered) = (WorkerId::new("worker"), BTreeSet::new());
    ClaimForWorkerArgs::new(lane.clone(), worker, instance.clone(), offered, 60_000)
}

/// The execution that is kept, if there is one.
pub(super) fn granted(outcome: ClaimForWorkerOutcome) -> Option<ExecutionId> {
    match outcome {
        ClaimForWorkerOutcome::Granted(grant) => Some(grant.execution_id),
        _ => None,
    }
}

/// The first attempt, by the grant.
pub(super) fn claiming(
    id: ExecutionId,
    lane: &LaneId,
    instance: &WorkerInstanceId,
) -> ClaimExecutionArgs {
    ClaimExecutionArgs::new(
        id,
        WorkerId::new("worker"),
        instance.clone(),
        lane.clone(),
        LeaseId::new(),
        60_000,
        AttemptId::new(),
        AttemptIndex::new(0),
        String::new(),
        None,
        None,
        TimestampMs::now(),
    )
}
