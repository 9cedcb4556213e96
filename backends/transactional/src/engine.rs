//! From a call to a transaction: availability, arguments, the rule, commit.

mod answers;
mod passes;

use std::any::Any;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use ff_core::backend::BackendTag;
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::{BackendIdentity, Capabilities, Supports, Version};
use ff_core::contracts::{HeartbeatWorkerArgs, RegisterWorkerArgs, StreamFrames};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::{cancel_flow_wait_deadline, until_cancelled};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind, ValidationKind};
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{PartitionConfig, PartitionKey};
use ff_core::types::ExecutionId;
use uuid::Uuid;

use crate::feeds::{Bells, Subscribing};
use crate::session::Session;
use crate::shutdown::{STREAM_READS, Waits};
use crate::store::{Access, Store, StoreError};
use crate::tails::WaitingTails;
use crate::waiting::WaitingClaims;
use crate::{arguments, executions, housekeeping, layout, metering};
use answers::answer;

/// The methods that have rules here.
pub const IMPLEMENTED: &[Method] = &[
    Method::AckCancelMember,
    Method::AddExecutionToFlow,
    Method::AppendFrame,
    Method::ApplyDependencyToChild,
    Method::BlockExecutionForAdmission,
    Method::BlockRoute,
    Method::Cancel,
    Method::CancelExecution,
    Method::CancelFlow,
    Method::CancelFlowHeader,
    Method::CascadeCompletion,
    Method::ChangePriority,
    Method::CheckAdmission,
    Method::Claim,
    Method::ClaimExecution,
    Method::ClaimForWorker,
    Method::ClaimFromResumeGrant,
    Method::ClaimResumedExecution,
    Method::CloseWaitpoint,
    Method::Complete,
    Method::CompleteExecution,
    Method::CreateBudget,
    Method::CreateExecution,
    Method::CreateFlow,
    Method::CreateQuotaPolicy,
    Method::CreateWaitpoint,
    Method::Delay,
    Method::DeliverApprovalSignal,
    Method::DeliverSignal,
    Method::DescribeEdge,
    Method::DescribeExecution,
    Method::DescribeFlow,
    Method::DrainSiblingCancelGroup,
    Method::EvaluateFlowEligibility,
    Method::ExpireExecution,
    Method::ExpireSuspension,
    Method::Fail,
    Method::FailExecution,
    Method::GetBudgetStatus,
    Method::GetExecutionNamespace,
    Method::GetExecutionResult,
    Method::GetExecutionTag,
    Method::GetFlowTag,
    Method::HeartbeatWorker,
    Method::IssueClaimGrant,
    Method::IssueGrantAndClaim,
    Method::IssueReclaimGrant,
    Method::ListEdges,
    Method::ListExecutions,
    Method::ListExpiredLeases,
    Method::ListFlows,
    Method::ListLanes,
    Method::ListPendingWaitpoints,
    Method::ListSuspended,
    Method::ListWorkers,
    Method::MarkLeaseExpiredIfDue,
    Method::MarkWorkerDead,
    Method::ObserveSignals,
    Method::Ping,
    Method::Prepare,
    Method::Progress,
    Method::ProjectFlowSummary,
    Method::PromoteDelayed,
    Method::ReadBudgetUsageAndLimits,
    Method::ReadCurrentAttemptIndex,
    Method::ReadExecCoreFields,
    Method::ReadExecutionContext,
    Method::ReadExecutionInfo,
    Method::ReadExecutionState,
    Method::ReadQuotaPolicyLimits,
    Method::ReadStream,
    Method::ReadSummary,
    Method::ReadTotalAttemptCount,
    Method::ReadWaitpointToken,
    Method::ReclaimExecution,
    Method::ReconcileBudgetCounters,
    Method::ReconcileExecutionIndex,
    Method::ReconcileQuotaCounters,
    Method::ReconcileSiblingCancelGroup,
    Method::RecordSpend,
    Method::RegisterWorker,
    Method::ReleaseAdmission,
    Method::ReleaseBudget,
    Method::Renew,
    Method::RenewLease,
    Method::ReplayExecution,
    Method::ReportUsage,
    Method::ReportUsageAdmin,
    Method::ResetBudget,
    Method::ResolveDependency,
    Method::ResolveExecutionFlowId,
    Method::ResumeExecution,
    Method::RevokeLease,
    Method::RotateWaitpointHmacSecretAll,
    Method::ScanEligibleExecutions,
    Method::SeedWaitpointHmacSecret,
    Method::ServerTimeMs,
    Method::SetEdgeGroupPolicy,
    Method::SetExecutionTag,
    Method::SetFlowTag,
    Method::ShutdownPrepare,
    Method::StageDependencyEdge,
    Method::SubscribeCompletion,
    Method::SubscribeInstanceTags,
    Method::SubscribeLeaseHistory,
    Method::SubscribeSignalDelivery,
    Method::Suspend,
    Method::SuspendByTriple,
    Method::TailStream,
    Method::TrimRetention,
    Method::UnblockExecution,
    Method::WaitChildren,
];

/// How often a call is tried when the storage reports conflicts.
const TRIES: u32 = 3;

/// What a backend is called and how it is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub tag: BackendTag,
    pub partitions: PartitionConfig,
    /// How many reads of streams run at once (STR-024).
    pub stream_reads: u32,
}

impl Settings {
    /// With nothing else special about it.
    pub fn new(tag: BackendTag, partitions: PartitionConfig) -> Self {
        Self { tag, partitions, stream_reads: STREAM_READS }
    }
}

/// A backend over a store.
pub struct Transactional<S> {
    store: Arc<S>,
    settings: Settings,
    bells: Arc<Bells>,
    waiting: Arc<WaitingClaims>,
    tails: WaitingTails,
    waits: Waits,
    /// The deployment, once it is known to be laid out as the settings say.
    deployment: OnceLock<Uuid>,
}

impl<S: Store> Transactional<S> {
    pub fn new(store: S, settings: Settings) -> Self {
        Self {
            store: Arc::new(store),
            settings,
            bells: Arc::default(),
            waiting: Arc::default(),
            tails: WaitingTails::default(),
            waits: Waits::with(settings.stream_reads),
            deployment: OnceLock::new(),
        }
    }

    pub fn store(&self) -> &S {
        &self.store
    }

    async fn run(&self, call: &Call) -> Result<Reply, EngineError> {
        if !matches!(call, Call::Ping {} | Call::ServerTimeMs {}) {
            self.lay_out().await?;
        }
        self.tried(|again| self.attempt(call, again)).await?
    }

    /// Makes sure, once, that the storage has as many partitions as the settings say.
    async fn lay_out(&self) -> Result<Uuid, EngineError> {
        if let Some(deployment) = self.deployment.get() {
            return Ok(*deployment);
        }
        let partitions = &self.settings.partitions;
        let look = |_| async {
            let mut tx = Session::new(self.store.begin(Access::Look).await?, Access::Look);
            let kept = settled(layout::kept(&mut tx, partitions).await)?;
            tx.leave().await.map(|()| kept)
        };
        let new = Uuid::new_v4();
        let keep = |_| async {
            let mut tx = Session::new(self.store.begin(Access::Write).await?, Access::Write);
            let kept = layout::keep(&mut tx, partitions, new).await;
            self.conclude(tx, kept).await
        };
        let deployment = match self.tried(look).await?? {
            Some(deployment) => deployment,
            None => self.tried(keep).await??,
        };
        Ok(*self.deployment.get_or_init(|| deployment))
    }

    async fn subscribe(&self, call: &Call) -> Result<Reply, EngineError> {
        let deployment = self.lay_out().await?;
        let (feed, bells) = (Arc::clone(&self.store), Arc::clone(&self.bells));
        let subscribing = Subscribing { feed, bells, deployment };
        subscribing.open(call, |error| self.error_of(error)).await
    }

    /// Does this, again if the storage reports that it met another; told whether it is again.
    async fn tried<T, F>(&self, attempt: impl Fn(bool) -> F + Sync) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        for number in 0..TRIES {
            match attempt(number > 0).await {
                Ok(done) => return Ok(done),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(self.error_of(error)),
            }
        }
        Err(self.error_of(StoreError::Conflict))
    }

    fn error_of(&self, error: StoreError) -> EngineError {
        match error {
            StoreError::Conflict => EngineError::Contention(ContentionKind::RetryExhausted),
            StoreError::Corrupt { record, detail } => {
                EngineError::validation(ValidationKind::Corruption, format!("{record}: {detail}"))
            }
            StoreError::Failed(source) => {
                EngineError::transport(self.settings.tag.as_str(), source)
            }
        }
    }

    async fn attempt(
        &self,
        call: &Call,
        again: bool,
    ) -> Result<Result<Reply, EngineError>, StoreError> {
        let access = match access(call.method()) {
            Access::Write if again => Access::WriteAgain,
            access => access,
        };
        loop {
            let mut tx = Session::new(self.store.begin(access).await?, access);
            let answer = match answer(&mut tx, self.settings, call).await {
                Ok(reply) => Ok(reply),
                Err(Stop::Refused(error)) => {
                    tx.leave().await?;
                    return Ok(Err(error));
                }
                Err(Stop::Lapsed) => Err(EngineError::State(StateKind::LeaseExpired)),
                Err(Stop::GrantRunOut) => {
                    tx.leave().await?;
                    self.put_back(access).await?;
                    continue;
                }
                Err(Stop::Denied(execution)) => {
                    tx.leave().await?;
                    self.deny(access, &execution).await?;
                    continue;
                }
                Err(Stop::Store(error)) => {
                    // Records that do not fit each other may have been read at different times.
                    if matches!(error, StoreError::Corrupt { .. }) {
                        tx.leave().await?;
                    }
                    return Err(error);
                }
            };
            self.keep(tx).await?;
            return Ok(answer);
        }
    }

    /// Executions whose grants have run out stand in their queues again, before anybody claims: a claim that
    /// did both would hide them from others (CLM-009).
    async fn put_back(&self, access: Access) -> Result<(), StoreError> {
        let mut tx = Session::new(self.store.begin(access).await?, access);
        let put_back = executions::put_back(&mut tx).await;
        self.conclude(tx, put_back).await.map(drop)
    }

    /// What a claim has found to be kept from it by a budget stands there for nobody (BUD-046).
    async fn deny(&self, access: Access, execution: &ExecutionId) -> Result<(), StoreError> {
        let mut tx = Session::new(self.store.begin(access).await?, access);
        let denied = metering::deny(&mut tx, &self.settings.partitions, execution).await;
        self.conclude(tx, denied).await.map(drop)
    }

    /// Commits what a rule has changed, or leaves it if the rule has refused.
    async fn conclude<T>(
        &self,
        tx: Session<S::Tx>,
        answer: Rule<T>,
    ) -> Result<Result<T, EngineError>, StoreError> {
        match settled(answer)? {
            Ok(done) => self.keep(tx).await.map(|()| Ok(done)),
            Err(refused) => tx.leave().await.map(|()| Err(refused)),
        }
    }

    /// Commits, and tells claims, readers and subscribers that wait.
    async fn keep(&self, tx: Session<S::Tx>) -> Result<(), StoreError> {
        let (work, changed, outboxes) = (tx.new_work(), tx.changed(), tx.outboxes());
        tx.commit().await?;
        for outbox in outboxes {
            self.bells.ring(outbox);
        }
        self.tails.wake(&changed);
        for lane in &work {
            self.waiting.wake(lane);
        }
        Ok(())
    }
}

/// Why a rule stopped.
pub(crate) enum Stop {
    /// Nothing of the call remains.
    Refused(EngineError),
    /// The lease was found due: the lapse is kept, the call is refused (LSE-005).
    Lapsed,
    /// A claim that has to wait until what grants have kept from it stands in its queue again.
    GrantRunOut,
    /// A claim whose execution has a budget that is exhausted: it goes on once that is blocked.
    Denied(ExecutionId),
    Store(StoreError),
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(crate) type Rule<T> = Result<T, Stop>;

/// The result of a rule that finds no lapse.
fn settled<T>(answer: Rule<T>) -> Result<Result<T, EngineError>, StoreError> {
    match answer {
        Ok(done) => Ok(Ok(done)),
        Err(Stop::Refused(error)) => Ok(Err(error)),
        Err(Stop::Lapsed) => Ok(Err(EngineError::State(StateKind::LeaseExpired))),
        Err(Stop::GrantRunOut | Stop::Denied(_)) => Err(StoreError::Conflict),
        Err(Stop::Store(error)) => Err(error),
    }
}

#[async_trait]
impl<S: Store> Housekeeping for Transactional<S> {
    async fn due(&self, partition: &PartitionKey, limit: usize) -> Result<Vec<Call>, EngineError> {
        arguments::housekeeping(&self.settings, partition, limit)?;
        self.lay_out().await?;
        let look = |_| async {
            let mut tx = Session::new(self.store.begin(Access::Read).await?, Access::Read);
            let partitions = &self.settings.partitions;
            let calls = settled(housekeeping::due(&mut tx, partitions, partition, limit).await)?;
            tx.leave().await.map(|()| calls)
        };
        self.tried(look).await?
    }
}

#[async_trait]
impl<S: Store> Dispatch for Transactional<S> {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        let _wait = self.waits.admit(&call)?;
        admit(&self.settings, &call)?;
        match &call {
            Call::Claim { lane, capabilities, policy } => {
                if policy.max_wait.is_some() {
                    self.store.listen(lane, &self.waiting);
                }
                let look = || async {
                    match self.run(&call).await? {
                        Reply::Claim(handle) => Ok(handle),
                        _ => Ok(None),
                    }
                };
                let claim = self.waiting.claim(lane, capabilities, policy, look);
                claim.await.map(Reply::Claim)
            }
            Call::TailStream { execution_id, block_ms, .. } => {
                let look = || async {
                    match self.run(&call).await? {
                        Reply::TailStream(frames) => Ok(frames),
                        _ => Ok(StreamFrames::empty_open()),
                    }
                };
                self.tails.tail(execution_id, *block_ms, look).await.map(Reply::TailStream)
            }
            Call::CancelFlow { id, wait, .. } => {
                let reply = self.run(&call).await?;
                if let Some(limit) = cancel_flow_wait_deadline(*wait) {
                    let is_done = || async { self.backlog_is_done(id).await };
                    until_cancelled(limit, is_done).await?;
                }
                Ok(reply)
            }
            Call::RegisterWorker {
                args: RegisterWorkerArgs { namespace, worker_instance_id, .. },
            }
            | Call::HeartbeatWorker {
                args: HeartbeatWorkerArgs { namespace, worker_instance_id, .. },
            } => {
                let reply = self.run(&call).await?;
                self.lift_routes(namespace, worker_instance_id).await?;
                Ok(reply)
            }
            Call::TrimRetention { .. } => {
                executions::by_parts(&call, |part| async move { self.run(&part).await }).await
            }
            Call::ReconcileExecutionIndex { .. } => {
                self.reconcile(&call).await.map(Reply::ReconcileExecutionIndex)
            }
            Call::ReconcileBudgetCounters { .. } => {
                self.reconcile(&call).await.map(Reply::ReconcileBudgetCounters)
            }
            Call::ReconcileQuotaCounters { .. } => {
                self.reconcile(&call).await.map(Reply::ReconcileQuotaCounters)
            }
            Call::Prepare {} => {
                let prepared = self.store.prepare().await;
                let outcome = prepared.map_err(|error| self.error_of(error))?;
                self.lay_out().await?;
                Ok(Reply::Prepare(outcome))
            }
            Call::SubscribeLeaseHistory { .. }
            | Call::SubscribeCompletion { .. }
            | Call::SubscribeSignalDelivery { .. }
            | Call::SubscribeInstanceTags { .. } => self.subscribe(&call).await,
            Call::ShutdownPrepare { grace } => {
                self.bells.close();
                self.waits.shut_down(*grace).await.map(Reply::ShutdownPrepare)
            }
            _ => self.run(&call).await,
        }
    }

    fn backend_label(&self) -> &'static str {
        self.settings.tag.as_str()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(&self.settings)
    }

    fn as_any(&self) -> &(dyn Any + 'static) {
        self
    }
}

/// Refuses what needs no storage to be refused: a method without rules (SYS-001), and arguments
/// that no state could make acceptable.
pub fn admit(settings: &Settings, call: &Call) -> Result<(), EngineError> {
    let method = call.method();
    if !IMPLEMENTED.contains(&method) {
        return Err(EngineError::Unavailable { op: method.as_str() });
    }
    arguments::check(settings, call)
}

/// What every reference backend claims.
pub fn capabilities(settings: &Settings) -> Capabilities {
    let mut supports = Supports::of(IMPLEMENTED.iter().copied());
    supports.cancel_flow_wait_timeout = true;
    supports.cancel_flow_wait_indefinite = true;
    supports.stream_durable_summary = true;
    supports.stream_best_effort_live = true;
    let identity = BackendIdentity::new(settings.tag.as_str(), Version::new(0, 1, 0), "reference");
    Capabilities::new(identity, supports)
}

/// Makes a backend of a struct whose field is a [`Transactional`].
#[macro_export]
macro_rules! dispatch_through {
    ($backend:ty, $engine:ident) => {
        #[async_trait::async_trait]
        impl ff_core::housekeeping::Housekeeping for $backend {
            async fn due(
                &self,
                partition: &ff_core::partition::PartitionKey,
                limit: usize,
            ) -> Result<Vec<ff_core::call::Call>, ff_core::engine_error::EngineError> {
                ff_core::housekeeping::Housekeeping::due(&self.$engine, partition, limit).await
            }
        }

        #[async_trait::async_trait]
        impl ff_core::dispatch::Dispatch for $backend {
            async fn dispatch(
                &self,
                call: ff_core::call::Call,
            ) -> Result<ff_core::call::Reply, ff_core::engine_error::EngineError> {
                ff_core::dispatch::Dispatch::dispatch(&self.$engine, call).await
            }

            fn backend_label(&self) -> &'static str {
                ff_core::dispatch::Dispatch::backend_label(&self.$engine)
            }

            fn capabilities(&self) -> ff_core::capability::Capabilities {
                ff_core::dispatch::Dispatch::capabilities(&self.$engine)
            }

            fn as_any(&self) -> &(dyn std::any::Any + 'static) {
                self
            }
        }
    };
}

fn access(method: Method) -> Access {
    match method {
        // The execution tells which group to look at. What is over, or another's, does not shorten a page.
        Method::EvaluateFlowEligibility | Method::ListExpiredLeases | Method::ListWorkers
        | Method::ScanEligibleExecutions
        // The suspension tells which waitpoints and signals, the cursor from which time on.
        | Method::ListPendingWaitpoints | Method::ObserveSignals | Method::ListSuspended => {
            Access::Read
        }
        method if method.is_read() => Access::Look,
        _ => Access::Write,
    }
}
