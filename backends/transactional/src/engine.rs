//! From a call to a transaction: availability, arguments, the rule, commit.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ff_core::backend::{BackendTag, Namespace};
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::{BackendIdentity, Capabilities, Supports, Version};
use ff_core::contracts::{HeartbeatWorkerArgs, RegisterWorkerArgs};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::{cancel_flow_wait_deadline, until_cancelled};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind, ValidationKind};
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{PartitionConfig, PartitionKey};
use ff_core::types::{FlowId, WorkerInstanceId};

use crate::records::Backlog;
use crate::session::Session;
use crate::shutdown::Waits;
use crate::store::{Access, Store, StoreError, Tx};
use crate::waiting::WaitingClaims;
use crate::{arguments, executions, flows, housekeeping, layout, suspension};

/// The methods that have rules here.
pub const IMPLEMENTED: &[Method] = &[
    Method::AckCancelMember,
    Method::AddExecutionToFlow,
    Method::ApplyDependencyToChild,
    Method::BlockExecutionForAdmission,
    Method::BlockRoute,
    Method::Cancel,
    Method::CancelExecution,
    Method::CancelFlow,
    Method::CancelFlowHeader,
    Method::CascadeCompletion,
    Method::ChangePriority,
    Method::Claim,
    Method::ClaimExecution,
    Method::ClaimForWorker,
    Method::ClaimFromResumeGrant,
    Method::ClaimResumedExecution,
    Method::CloseWaitpoint,
    Method::Complete,
    Method::CompleteExecution,
    Method::CreateExecution,
    Method::CreateFlow,
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
    Method::ReadCurrentAttemptIndex,
    Method::ReadExecCoreFields,
    Method::ReadExecutionContext,
    Method::ReadExecutionInfo,
    Method::ReadExecutionState,
    Method::ReadTotalAttemptCount,
    Method::ReadWaitpointToken,
    Method::ReclaimExecution,
    Method::ReconcileSiblingCancelGroup,
    Method::RegisterWorker,
    Method::Renew,
    Method::RenewLease,
    Method::ReplayExecution,
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
    Method::Suspend,
    Method::SuspendByTriple,
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
}

/// A backend over a store.
pub struct Transactional<S> {
    store: S,
    settings: Settings,
    waiting: Arc<WaitingClaims>,
    waits: Waits,
    /// The storage is laid out as the settings say.
    is_laid_out: AtomicBool,
}

impl<S: Store> Transactional<S> {
    pub fn new(store: S, settings: Settings) -> Self {
        Self {
            store,
            settings,
            waiting: Arc::default(),
            waits: Waits::default(),
            is_laid_out: AtomicBool::new(false),
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
    async fn lay_out(&self) -> Result<(), EngineError> {
        if self.is_laid_out.load(Ordering::Relaxed) {
            return Ok(());
        }
        let partitions = &self.settings.partitions;
        let look = |_| async {
            let mut tx = Session::new(self.store.begin(Access::Look).await?, Access::Look);
            let kept = settled(layout::is_kept(&mut tx, partitions).await)?;
            tx.leave().await.map(|()| kept)
        };
        let keep = |_| async {
            let mut tx = Session::new(self.store.begin(Access::Write).await?, Access::Write);
            match settled(layout::keep(&mut tx, partitions).await)? {
                Ok(()) => tx.commit().await.map(Ok),
                Err(refused) => tx.leave().await.map(|()| Err(refused)),
            }
        };
        if !self.tried(look).await?? {
            self.tried(keep).await??;
        }
        self.is_laid_out.store(true, Ordering::Relaxed);
        Ok(())
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

    /// Whether no member of a cancelled flow is left to others (CAN-013).
    async fn backlog_is_done(&self, flow: &FlowId) -> Result<bool, EngineError> {
        let look = |_| async {
            let mut tx = Session::new(self.store.begin(Access::Read).await?, Access::Read);
            let left = flows::has_backlog(&mut tx, flow).await?;
            tx.leave().await.map(|()| left)
        };
        self.tried(look).await.map(|left| !left)
    }

    /// Lifts the route blocks that are there for want of this worker, some at a time (WRK-014).
    async fn lift_routes(
        &self,
        namespace: &Namespace,
        instance: &WorkerInstanceId,
    ) -> Result<(), EngineError> {
        let lift = |again| async move {
            let access = if again { Access::WriteAgain } else { Access::Write };
            let mut tx = Session::new(self.store.begin(access).await?, access);
            let lifted = executions::lift_routes(&mut tx, namespace, instance).await;
            match settled(lifted)? {
                Ok(more) => self.keep(tx).await.map(|()| Ok(more)),
                Err(refused) => tx.leave().await.map(|()| Err(refused)),
            }
        };
        while self.tried(lift).await?? {}
        Ok(())
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
        match settled(executions::put_back(&mut tx).await)? {
            Ok(()) => self.keep(tx).await,
            Err(_) => tx.leave().await,
        }
    }

    /// Commits, and tells claims that wait.
    async fn keep(&self, tx: Session<S::Tx>) -> Result<(), StoreError> {
        let work = tx.new_work();
        tx.commit().await?;
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
        Err(Stop::GrantRunOut) => Err(StoreError::Conflict),
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
            let calls = settled(housekeeping::due(&mut tx, partition, limit).await)?;
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
            Call::Prepare {} => {
                let prepared = self.store.prepare().await;
                let outcome = prepared.map_err(|error| self.error_of(error))?;
                self.lay_out().await?;
                Ok(Reply::Prepare(outcome))
            }
            Call::ShutdownPrepare { grace } => {
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

/// The rule for each call, on arguments that `arguments::check` let through.
#[allow(clippy::too_many_lines)] // One arm a method.
async fn answer<T: Tx>(tx: &mut Session<T>, settings: Settings, call: &Call) -> Rule<Reply> {
    Ok(match call {
        Call::CreateExecution { args } => {
            Reply::CreateExecution(executions::create(tx, args).await?)
        }
        Call::DescribeExecution { id } => {
            Reply::DescribeExecution(executions::describe(tx, id).await?)
        }
        Call::ReadExecutionContext { execution_id } => {
            Reply::ReadExecutionContext(executions::read_context(tx, execution_id).await?)
        }
        Call::ReadExecutionInfo { id } => {
            Reply::ReadExecutionInfo(executions::read_info(tx, id).await?)
        }
        Call::ReadExecutionState { id } => {
            Reply::ReadExecutionState(executions::read_state(tx, id).await?)
        }
        Call::ReadExecCoreFields { execution_id, fields, .. } => {
            Reply::ReadExecCoreFields(executions::read_core_fields(tx, execution_id, fields).await?)
        }
        Call::GetExecutionResult { id } => {
            Reply::GetExecutionResult(executions::get_result(tx, id).await?)
        }
        Call::GetExecutionNamespace { execution_id } => {
            Reply::GetExecutionNamespace(executions::get_namespace(tx, execution_id).await?)
        }
        Call::ReadCurrentAttemptIndex { execution_id } => {
            Reply::ReadCurrentAttemptIndex(executions::current_attempt(tx, execution_id).await?)
        }
        Call::ReadTotalAttemptCount { execution_id } => {
            Reply::ReadTotalAttemptCount(executions::total_attempts(tx, execution_id).await?)
        }
        Call::SetExecutionTag { execution_id, key, value } => {
            Reply::SetExecutionTag(executions::set_tag(tx, execution_id, key, value).await?)
        }
        Call::GetExecutionTag { execution_id, key } => {
            Reply::GetExecutionTag(executions::get_tag(tx, execution_id, key).await?)
        }
        Call::ListExecutions { partition, cursor, limit } => {
            Reply::ListExecutions(executions::list(tx, partition, cursor.as_ref(), *limit).await?)
        }
        Call::ListLanes { cursor, limit } => {
            Reply::ListLanes(executions::list_lanes(tx, cursor.as_ref(), *limit).await?)
        }
        Call::Claim { lane, capabilities, policy } => {
            Reply::Claim(executions::claim(tx, settings.tag, lane, capabilities, policy).await?)
        }
        Call::IssueClaimGrant { args } => {
            Reply::IssueClaimGrant(executions::issue_claim_grant(tx, args).await?)
        }
        Call::ClaimForWorker { args } => {
            Reply::ClaimForWorker(executions::claim_for_worker(tx, args).await?)
        }
        Call::ScanEligibleExecutions { args } => {
            Reply::ScanEligibleExecutions(executions::scan_eligible(tx, args).await?)
        }
        Call::ClaimResumedExecution { args } => {
            Reply::ClaimResumedExecution(suspension::claim_resumed(tx, settings.tag, args).await?)
        }
        Call::ClaimFromResumeGrant { token } => {
            Reply::ClaimFromResumeGrant(suspension::claim_by_token(tx, settings.tag, token).await?)
        }
        Call::PromoteDelayed { execution_id, .. } => {
            Reply::PromoteDelayed(executions::promote_delayed(tx, execution_id).await?)
        }
        Call::MarkLeaseExpiredIfDue { execution_id, .. } => Reply::MarkLeaseExpiredIfDue(
            executions::mark_lease_expired_if_due(tx, execution_id).await?,
        ),
        Call::Renew { handle } => Reply::Renew(executions::renew(tx, settings.tag, handle).await?),
        Call::Progress { handle, percent, message } => Reply::Progress(
            executions::progress(tx, settings.tag, handle, *percent, message.as_deref()).await?,
        ),
        Call::Complete { handle, payload } => Reply::Complete(
            executions::complete(tx, settings.tag, call, handle, payload.as_deref()).await?,
        ),
        Call::Fail { handle, reason, classification } => Reply::Fail(
            executions::fail(tx, settings.tag, call, handle, reason, *classification).await?,
        ),
        Call::Cancel { handle, reason } => {
            Reply::Cancel(executions::cancel(tx, settings.tag, call, handle, reason).await?)
        }
        Call::WaitChildren { handle } => {
            Reply::WaitChildren(executions::wait_children(tx, settings.tag, call, handle).await?)
        }
        Call::Delay { handle, delay_until } => {
            Reply::Delay(executions::delay(tx, settings.tag, call, handle, *delay_until).await?)
        }
        Call::RenewLease { args } => Reply::RenewLease(executions::renew_lease(tx, args).await?),
        Call::CompleteExecution { args } => {
            Reply::CompleteExecution(executions::complete_execution(tx, call, args).await?)
        }
        Call::FailExecution { args } => {
            Reply::FailExecution(executions::fail_execution(tx, call, args).await?)
        }
        Call::ClaimExecution { args } => {
            Reply::ClaimExecution(executions::claim_execution(tx, settings.tag, args).await?)
        }
        Call::IssueGrantAndClaim { args } => {
            Reply::IssueGrantAndClaim(executions::issue_grant_and_claim(tx, args).await?)
        }
        Call::RevokeLease { args } => Reply::RevokeLease(executions::revoke_lease(tx, args).await?),
        Call::IssueReclaimGrant { args } => {
            Reply::IssueReclaimGrant(executions::issue_reclaim_grant(tx, args).await?)
        }
        Call::ReclaimExecution { args } => {
            Reply::ReclaimExecution(executions::reclaim_execution(tx, settings.tag, args).await?)
        }
        Call::ListExpiredLeases { args } => {
            Reply::ListExpiredLeases(executions::list_expired(tx, args).await?)
        }
        Call::RegisterWorker { args } => {
            Reply::RegisterWorker(executions::register(tx, args).await?)
        }
        Call::HeartbeatWorker { args } => {
            Reply::HeartbeatWorker(executions::heartbeat(tx, args).await?)
        }
        Call::MarkWorkerDead { args } => {
            Reply::MarkWorkerDead(executions::mark_dead(tx, args).await?)
        }
        Call::ListWorkers { args } => Reply::ListWorkers(executions::list_workers(tx, args).await?),
        Call::BlockRoute { args } => Reply::BlockRoute(executions::block_route(tx, args).await?),
        Call::BlockExecutionForAdmission { args } => {
            Reply::BlockExecutionForAdmission(executions::block_for_admission(tx, args).await?)
        }
        Call::UnblockExecution { execution_id, expected_blocking_reason: expected, .. } => {
            Reply::UnblockExecution(executions::unblock(tx, execution_id, expected).await?)
        }
        Call::ExpireExecution { execution_id, phase, .. } => {
            Reply::ExpireExecution(executions::expire(tx, execution_id, *phase).await?)
        }
        Call::TrimRetention {
            partition, lane_id: lane, retention_ms, batch_size, filter, ..
        } => {
            let (partition, retention_ms, batch_size) = (*partition, *retention_ms, *batch_size);
            let asked = executions::Trim { partition, lane, retention_ms, batch_size, filter };
            Reply::TrimRetention(executions::trim(tx, asked).await?)
        }
        Call::ChangePriority { args } => {
            Reply::ChangePriority(executions::change_priority(tx, args).await?)
        }
        Call::ReplayExecution { args } => {
            Reply::ReplayExecution(executions::replay(tx, &args.execution_id).await?)
        }
        Call::CancelExecution { args } => {
            Reply::CancelExecution(executions::cancel_execution(tx, args).await?)
        }
        Call::CreateFlow { args } => {
            Reply::CreateFlow(flows::create(tx, &settings.partitions, args).await?)
        }
        Call::AddExecutionToFlow { args } => {
            Reply::AddExecutionToFlow(flows::add_execution(tx, args).await?)
        }
        Call::StageDependencyEdge { args } => {
            Reply::StageDependencyEdge(flows::stage_edge(tx, args).await?)
        }
        Call::ApplyDependencyToChild { args } => {
            Reply::ApplyDependencyToChild(flows::apply_dependency(tx, args).await?)
        }
        Call::ResolveDependency { args } => {
            Reply::ResolveDependency(flows::resolve(tx, args).await?)
        }
        Call::CascadeCompletion { payload } => {
            Reply::CascadeCompletion(flows::cascade(tx, payload).await?)
        }
        Call::EvaluateFlowEligibility { args } => Reply::EvaluateFlowEligibility(
            flows::evaluate_eligibility(tx, &args.execution_id).await?,
        ),
        Call::DrainSiblingCancelGroup { flow_id, downstream_eid, .. } => {
            Reply::DrainSiblingCancelGroup(flows::drain(tx, flow_id, downstream_eid).await?)
        }
        Call::ReconcileSiblingCancelGroup { flow_id, downstream_eid, .. } => {
            Reply::ReconcileSiblingCancelGroup(flows::reconcile(tx, flow_id, downstream_eid).await?)
        }
        Call::CancelFlowHeader { args } => {
            Reply::CancelFlowHeader(flows::cancel_header(tx, args).await?)
        }
        Call::ProjectFlowSummary { flow_id, .. } => {
            Reply::ProjectFlowSummary(flows::project(tx, flow_id).await?)
        }
        Call::AckCancelMember { flow_id, execution_id } => {
            tx.remove(Backlog::at(flow_id, execution_id));
            Reply::AckCancelMember(())
        }
        Call::CancelFlow { id, policy, .. } => {
            Reply::CancelFlow(flows::cancel(tx, id, *policy).await?)
        }
        Call::DescribeFlow { id } => Reply::DescribeFlow(flows::describe(tx, id).await?),
        Call::ListFlows { partition, cursor, limit } => {
            Reply::ListFlows(flows::list(tx, partition, cursor.as_ref(), *limit).await?)
        }
        Call::ResolveExecutionFlowId { execution_id } => {
            Reply::ResolveExecutionFlowId(flows::resolve_flow(tx, execution_id).await?)
        }
        Call::SetFlowTag { flow_id, key, value } => {
            Reply::SetFlowTag(flows::set_tag(tx, flow_id, key, value).await?)
        }
        Call::GetFlowTag { flow_id, key } => {
            Reply::GetFlowTag(flows::get_tag(tx, flow_id, key).await?)
        }
        Call::DescribeEdge { flow_id, edge_id } => {
            Reply::DescribeEdge(flows::describe_edge(tx, flow_id, edge_id).await?)
        }
        Call::ListEdges { flow_id, direction } => {
            Reply::ListEdges(flows::list_edges(tx, flow_id, direction).await?)
        }
        Call::SetEdgeGroupPolicy { flow_id, downstream_execution_id, policy } => {
            Reply::SetEdgeGroupPolicy(
                flows::set_policy(tx, flow_id, downstream_execution_id, *policy).await?,
            )
        }
        Call::RotateWaitpointHmacSecretAll { args } => {
            let partitions = settings.partitions.num_flow_partitions;
            Reply::RotateWaitpointHmacSecretAll(suspension::rotate(tx, partitions, args).await?)
        }
        Call::SeedWaitpointHmacSecret { args } => {
            let partitions = settings.partitions.num_flow_partitions;
            Reply::SeedWaitpointHmacSecret(suspension::seed(tx, partitions, args).await?)
        }
        Call::CreateWaitpoint { handle, waitpoint_key, expires_in } => {
            let tag = settings.tag;
            Reply::CreateWaitpoint(
                suspension::create_waitpoint(tx, tag, handle, waitpoint_key, *expires_in).await?,
            )
        }
        Call::ReadWaitpointToken { partition, waitpoint_id } => {
            Reply::ReadWaitpointToken(suspension::read_token(tx, partition, waitpoint_id).await?)
        }
        Call::ListPendingWaitpoints { args } => {
            Reply::ListPendingWaitpoints(suspension::list_waitpoints(tx, args).await?)
        }
        Call::CloseWaitpoint { execution_id, waitpoint_id, .. } => {
            Reply::CloseWaitpoint(suspension::close(tx, execution_id, waitpoint_id).await?)
        }
        Call::Suspend { handle, args } => {
            Reply::Suspend(suspension::suspend(tx, settings.tag, call, handle, args).await?)
        }
        Call::SuspendByTriple { exec_id, triple, args } => {
            let holder = (exec_id, triple);
            Reply::SuspendByTriple(
                suspension::suspend_by_triple(tx, settings.tag, call, holder, args).await?,
            )
        }
        Call::DeliverSignal { args } => Reply::DeliverSignal(suspension::deliver(tx, args).await?),
        Call::DeliverApprovalSignal { args } => {
            Reply::DeliverApprovalSignal(suspension::deliver_approval(tx, args).await?)
        }
        Call::ObserveSignals { handle } => {
            Reply::ObserveSignals(suspension::observe(tx, settings.tag, handle).await?)
        }
        Call::ResumeExecution { args } => {
            Reply::ResumeExecution(suspension::resume(tx, args).await?)
        }
        Call::ExpireSuspension { execution_id, .. } => {
            Reply::ExpireSuspension(suspension::expire(tx, execution_id).await?)
        }
        Call::ListSuspended { partition, cursor, limit } => Reply::ListSuspended(
            suspension::list_suspended(tx, partition, cursor.as_ref(), *limit).await?,
        ),
        Call::ServerTimeMs {} => Reply::ServerTimeMs(tx.now().await?.0.unsigned_abs()),
        Call::Ping {} => Reply::Ping(tx.ping().await?),
        other => {
            return Err(EngineError::Unavailable { op: other.method().as_str() }.into());
        }
    })
}
