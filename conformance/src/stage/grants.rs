//! Builders for grants, and for attempts that go on by one.

use std::collections::BTreeSet;

use ff_core::backend::{Handle, ResumeToken};
use ff_core::contracts::{
    ClaimExecutionArgs, ClaimExecutionResult, ClaimForWorkerArgs, ClaimForWorkerOutcome,
    ClaimGrant, ClaimGrantOutcome, ClaimResumedExecutionArgs, ClaimResumedExecutionResult,
    ClaimedExecution, ClaimedResumedExecution, IssueClaimGrantArgs, IssueClaimGrantOutcome,
    IssueGrantAndClaimArgs, IssueReclaimGrantArgs, ReclaimExecutionArgs, ReclaimExecutionOutcome,
    ResumeGrant, RevokeLeaseArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{AttemptId, AttemptIndex, ExecutionId, LeaseId, WorkerId, WorkerInstanceId};

use super::callers_now::CALLERS_NOW;
use super::failure::Failure;
use super::suspended::Suspended;
use super::world::World;

/// A lease taken from whoever holds it.
pub(crate) fn revocation(id: &ExecutionId) -> RevokeLeaseArgs {
    RevokeLeaseArgs {
        execution_id: id.clone(),
        expected_lease_id: None,
        reason: "why".to_owned(),
        worker_instance_id: WorkerInstanceId::new(""),
    }
}

/// A worker with nothing special about it.
fn worker() -> (WorkerId, WorkerInstanceId) {
    (WorkerId::new("worker"), WorkerInstanceId::new("worker-1"))
}

impl World {
    /// A grant for a minute, to a worker that offers nothing.
    pub(crate) fn granting(&self, id: &ExecutionId) -> IssueClaimGrantArgs {
        let (lane, (worker, instance)) = (self.lane_of(id), worker());
        let (partition, offered) = (self.partition_of(id), BTreeSet::new());
        let id = id.clone();
        IssueClaimGrantArgs::new(
            id,
            lane,
            worker,
            instance,
            partition,
            offered,
            60_000,
            CALLERS_NOW,
        )
    }

    /// Issues a grant, and asserts that it did.
    pub(crate) async fn grant(&self, args: IssueClaimGrantArgs) -> Result<(), Failure> {
        let execution_id = args.execution_id.clone();
        let what = format!("a grant of {execution_id}");
        let granted = IssueClaimGrantOutcome::Granted { execution_id };
        expect_eq!(self.issue_claim_grant(args).await?, granted, "{what}");
        Ok(())
    }

    /// Issues a grant for a minute, for what follows.
    pub(crate) async fn granted(&self, id: &ExecutionId) -> Result<(), Failure> {
        self.grant(self.granting(id)).await.map_err(Failure::in_setup)
    }

    /// Work on the default lane, kept for a minute for a worker that offers nothing.
    pub(crate) fn assigning(&self) -> ClaimForWorkerArgs {
        let (worker, instance) = worker();
        ClaimForWorkerArgs::new(self.lane(), worker, instance, BTreeSet::new(), 60_000)
    }

    /// Finds work for a worker.
    pub(crate) async fn assigned(
        &self,
        args: ClaimForWorkerArgs,
    ) -> Result<Option<ClaimGrant>, EngineError> {
        match self.claim_for_worker(args).await? {
            ClaimForWorkerOutcome::Granted(grant) => Ok(Some(grant)),
            _ => Ok(None),
        }
    }

    /// What is found for a worker that offers nothing.
    pub(crate) async fn assigns(&self) -> Result<Option<ExecutionId>, EngineError> {
        let grant = self.assigned(self.assigning()).await?;
        Ok(grant.map(|grant| grant.execution_id))
    }

    /// Starts the first attempt under a lease of 30 s, by a grant of the same worker.
    pub(crate) fn redeeming(&self, id: &ExecutionId) -> ClaimExecutionArgs {
        let (worker, instance) = worker();
        ClaimExecutionArgs::new(
            id.clone(),
            worker,
            instance,
            self.lane_of(id),
            LeaseId::from_uuid(self.uuid()),
            30_000,
            AttemptId::from_uuid(self.uuid()),
            AttemptIndex::new(0),
            String::new(),
            None,
            None,
            CALLERS_NOW,
        )
    }

    pub(crate) async fn redeem(
        &self,
        args: ClaimExecutionArgs,
    ) -> Result<ClaimedExecution, EngineError> {
        match self.claim_execution(args).await? {
            ClaimExecutionResult::Claimed(claimed) => Ok(claimed),
            other => Err(EngineError::invalid_input(format!("it is claimed, not {other:?}"))),
        }
    }

    /// An operator's claim for 30 s.
    pub(crate) async fn claim_as_operator(
        &self,
        id: &ExecutionId,
    ) -> Result<ClaimGrantOutcome, EngineError> {
        let args = IssueGrantAndClaimArgs::new(id.clone(), self.lane_of(id), 30_000);
        self.issue_grant_and_claim(args).await
    }

    /// A grant for a minute to take over, to a worker that offers nothing.
    pub(crate) fn regranting(&self, id: &ExecutionId) -> IssueReclaimGrantArgs {
        let (worker, instance) = worker();
        let (id, lane) = (id.clone(), self.lane_of(id));
        IssueReclaimGrantArgs::new(
            id,
            worker,
            instance,
            lane,
            None,
            60_000,
            None,
            None,
            BTreeSet::new(),
            CALLERS_NOW,
        )
    }

    /// Takes over under a lease of 30 s, by a grant of the same worker.
    pub(crate) fn reclaiming(&self, id: &ExecutionId) -> ReclaimExecutionArgs {
        let (worker, instance) = worker();
        ReclaimExecutionArgs::new(
            id.clone(),
            worker,
            instance,
            self.lane_of(id),
            None,
            LeaseId::from_uuid(self.uuid()),
            30_000,
            AttemptId::from_uuid(self.uuid()),
            String::new(),
            None,
            WorkerInstanceId::new("worker-0"),
            AttemptIndex::new(0),
        )
    }

    /// Takes over what was left behind, for what follows.
    pub(crate) async fn taken_over(&self, id: &ExecutionId) -> Result<Handle, Failure> {
        let granted = self.issue_reclaim_grant(self.regranting(id)).await;
        granted.map_err(Failure::setup_refused)?;
        match self.reclaim_execution(self.reclaiming(id)).await? {
            ReclaimExecutionOutcome::Claimed(handle) => Ok(handle),
            other => Err(Failure::setup(&format!("it is taken over: {other:?}"))),
        }
    }

    /// Goes on with the first attempt, under a lease of 30 s, by a grant of the same worker.
    pub(crate) fn going_on(&self, id: &ExecutionId) -> ClaimResumedExecutionArgs {
        let (worker_id, worker_instance_id) = worker();
        ClaimResumedExecutionArgs {
            execution_id: id.clone(),
            current_attempt_index: AttemptIndex::new(0),
            lane_id: self.lane_of(id),
            lease_id: LeaseId::from_uuid(self.uuid()),
            lease_ttl_ms: 30_000,
            remaining_attempt_timeout_ms: None,
            worker_id,
            worker_instance_id,
            now: CALLERS_NOW,
        }
    }

    pub(crate) async fn go_on(
        &self,
        args: ClaimResumedExecutionArgs,
    ) -> Result<ClaimedResumedExecution, EngineError> {
        let ClaimResumedExecutionResult::Claimed(claimed) =
            self.claim_resumed_execution(args).await?;
        Ok(claimed)
    }

    /// The same by a token.
    pub(crate) fn resume_token(&self, id: &ExecutionId) -> ResumeToken {
        let (worker, instance) = worker();
        let key = self.partition_key_of(id);
        let until = self.in_ms(60_000).0.unsigned_abs();
        let grant = ResumeGrant::new(id.clone(), key, "grant".to_owned(), until, self.lane_of(id));
        ResumeToken::new(grant, worker, instance, 30_000)
    }

    /// A new execution that was suspended and resumed.
    pub(crate) async fn resumable(&self) -> Result<Suspended, Failure> {
        let suspended = self.suspended().await?;
        self.resume(&suspended.id).await.map_err(Failure::setup_refused)?;
        Ok(suspended)
    }
}
