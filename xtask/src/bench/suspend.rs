//! Work is suspended, signalled, and goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use ff_conformance::{HarnessError, plain_execution};
use ff_core::backend::{
    CapabilitySet, ClaimPolicy, HandlePayload, ResumeCondition, SignalMatcher, SuspendArgs,
    SuspendOutcome, SuspensionReasonCode, WaitpointBinding,
};
use ff_core::contracts::{
    ClaimResumedExecutionArgs, ClaimResumedExecutionResult, DeliverSignalArgs, IssueClaimGrantArgs,
    SeedWaitpointHmacSecretArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{
    ExecutionId, LaneId, LeaseId, SignalId, SuspensionId, TimestampMs, WaitpointId, WorkerId,
    WorkerInstanceId,
};
use rand::Rng;
use uuid::Uuid;

use super::measure::{AsyncWorker, Times, timed};

/// Creates an execution, takes whatever comes first on the lane, suspends that, signals it, goes on with it, and
/// completes it.
pub(super) struct Worker {
    backend: Arc<dyn EngineBackend>,
    policy: ClaimPolicy,
    is_signed: bool,
}

impl Worker {
    pub(super) fn new(backend: Arc<dyn EngineBackend>, number: usize) -> Self {
        let instance = WorkerInstanceId::new(format!("worker-{number}"));
        let policy = ClaimPolicy::new(WorkerId::new("worker"), instance, 60_000, None);
        Self { backend, policy, is_signed: false }
    }

    fn grant(&self, id: &ExecutionId, lane: &LaneId) -> IssueClaimGrantArgs {
        let partition = Partition { family: PartitionFamily::Execution, index: id.partition() };
        let (worker, instance) = (&self.policy.worker_id, &self.policy.worker_instance_id);
        let (worker, instance, offered) = (worker.clone(), instance.clone(), BTreeSet::new());
        let (id, lane, now) = (id.clone(), lane.clone(), TimestampMs::now());
        IssueClaimGrantArgs::new(id, lane, worker, instance, partition, offered, 60_000, now)
    }
}

impl AsyncWorker for Worker {
    async fn work(&mut self, times: &mut Times) -> Result<(), HarnessError> {
        let (backend, lane) = (Arc::clone(&self.backend), LaneId::new("bench"));
        if !std::mem::replace(&mut self.is_signed, true) {
            let secret = SeedWaitpointHmacSecretArgs::new("bench", "0f".repeat(32));
            backend.seed_waitpoint_hmac_secret(secret).await?;
        }
        let partition = rand::rng().random_range(0..256);
        let id = ExecutionId::from_parts(partition, Uuid::new_v4());
        timed(times, backend.create_execution(plain_execution(id, lane.clone()))).await?;
        let offers = CapabilitySet::default();
        let handle = loop {
            let claim = backend.claim(&lane, &offers, self.policy.clone());
            if let Some(handle) = timed(times, claim).await? {
                break handle;
            }
        };
        let held = HandlePayload::open(handle.backend, &handle)?;
        let suspended = timed(times, backend.suspend(&handle, suspension())).await?;
        let SuspendOutcome::Suspended { details, .. } = suspended else {
            return Err("it is not suspended".into());
        };
        let id = held.execution_id;
        let signal = DeliverSignalArgs {
            execution_id: id.clone(),
            waitpoint_id: details.waitpoint_id,
            waitpoint_token: details.waitpoint_token.token().clone(),
            ..signal()
        };
        timed(times, backend.deliver_signal(signal)).await?;
        timed(times, backend.issue_claim_grant(self.grant(&id, &lane))).await?;
        let resumed = ClaimResumedExecutionArgs {
            execution_id: id,
            current_attempt_index: held.attempt_index,
            lane_id: lane,
            lease_id: LeaseId::new(),
            lease_ttl_ms: 60_000,
            remaining_attempt_timeout_ms: None,
            worker_id: self.policy.worker_id.clone(),
            worker_instance_id: self.policy.worker_instance_id.clone(),
            now: TimestampMs::now(),
        };
        let resumed = timed(times, backend.claim_resumed_execution(resumed)).await?;
        let ClaimResumedExecutionResult::Claimed(resumed) = resumed;
        timed(times, backend.complete(&resumed.handle, None)).await?;
        Ok(())
    }
}

/// Until any signal comes to its only waitpoint.
fn suspension() -> SuspendArgs {
    let (waitpoint_id, matcher) = (WaitpointId::new(), SignalMatcher::Wildcard);
    SuspendArgs::new(
        SuspensionId::new(),
        WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "wp".to_owned() },
        ResumeCondition::Single { matcher, waitpoint_key: "wp".to_owned() },
        SuspensionReasonCode::WaitingForSignal,
        TimestampMs::now(),
    )
}

/// A signal, but for where it goes.
fn signal() -> DeliverSignalArgs {
    DeliverSignalArgs {
        execution_id: ExecutionId::from_parts(0, Uuid::nil()),
        correlation_id: None,
        created_at: None,
        dedup_ttl_ms: None,
        idempotency_key: None,
        max_signals_per_execution: None,
        payload: None,
        payload_encoding: None,
        resume_delay_ms: None,
        signal_category: "external".to_owned(),
        signal_id: SignalId::new(),
        signal_maxlen: None,
        signal_name: "go".to_owned(),
        source_identity: "bench".to_owned(),
        source_type: "bench".to_owned(),
        target_scope: "waitpoint".to_owned(),
        waitpoint_id: WaitpointId::new(),
        waitpoint_token: "".into(),
        now: TimestampMs::now(),
    }
}
