//! From a call to a function and back.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use ferriskey::Client;
use ff_core::backend::{
    BackendTag, CancelFlowWait, CapabilitySet, ClaimPolicy, Handle, HandleKind, HandlePayload,
    SuspendOutcome, SuspendOutcomeDetails,
};
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::contracts::{
    ClaimExecutionResult, ClaimForWorkerArgs, ClaimForWorkerOutcome, ClaimResumedExecutionResult,
    ReclaimExecutionOutcome,
};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::{cancel_flow_wait_deadline, until_cancelled};
use ff_core::engine_error::EngineError;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{PartitionKey, flow_partition};
use ff_core::state::AttemptType;
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs, WaitpointId};
use ff_transactional::{
    Appending, Bells, MAX_PAGE, Settings, Subscribing, WaitingClaims, WaitingTails, Waits, admit,
    by_parts, capabilities, check_housekeeping, claimed_execution, claimed_resumed, families,
    parse_retry_policy, reclaimed,
};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::budgets::Budgets;
use crate::claims::{Claims, Search};
use crate::documents::tagged;
use crate::events::Outboxes;
use crate::hints::Hints;
use crate::route::Route;
use crate::routes::Sign;
use crate::server::{Answer, Server, transport};
use crate::wire::Wire;
use crate::{events, expired, keys, lanes, reconcile, streams};

/// A durable-execution engine on a Valkey server.
pub struct ValkeyBackend {
    server: Arc<Server>,
    settings: Settings,
    bells: Arc<Bells>,
    claims: Arc<Claims>,
    waiting: Arc<WaitingClaims>,
    tails: WaitingTails,
    waits: Waits,
    hints: Hints,
    /// The deployment, once it is known to be laid out as the settings say.
    deployment: OnceLock<Uuid>,
}

impl ValkeyBackend {
    pub(crate) fn over(server: Server, settings: Settings, hints: Hints) -> Self {
        Self {
            server: Arc::new(server),
            settings,
            bells: Arc::default(),
            claims: Arc::default(),
            waiting: Arc::default(),
            tails: WaitingTails::default(),
            waits: Waits::with(settings.stream_reads),
            hints,
            deployment: OnceLock::new(),
        }
    }

    /// The connection, for tests that look at keys and for other backends on the same server.
    #[doc(hidden)]
    pub fn client_for_test(&self) -> &Client {
        &self.server.client
    }

    /// The claims that wait here.
    #[doc(hidden)]
    pub fn waiting_for_test(&self) -> &WaitingClaims {
        &self.waiting
    }

    /// What the library declares of records and outboxes, for the test that compares it.
    #[doc(hidden)]
    pub async fn kinds_for_test<T: DeserializeOwned>(&self) -> Result<T, EngineError> {
        let fcall = self.server.fcall("kinds", true, 0, &Wire::map([]), None)?;
        self.server.call(&fcall).await?.into().map_err(transport)
    }

    /// Removes the function library from the server. Backends that still need it load it again.
    ///
    /// Nothing else removes a library, as other versions may be in use beside it: a server keeps that of each
    /// version which was ever used on it, some 100 kB of text each.
    pub async fn unload(&self) -> Result<(), EngineError> {
        self.server.unload().await
    }

    /// Whether no member of a cancelled flow is left to others (CAN-013).
    async fn backlog_is_done(&self, flow: &FlowId) -> Result<bool, EngineError> {
        let home = flow_partition(flow, &self.settings.partitions).index;
        let arguments = Wire::of(&flow).map_err(transport)?;
        let arguments = Wire::map([("flow_id", arguments)]);
        let fcall = self.server.fcall("has_backlog", true, home, &arguments, None)?;
        let left: bool = self.server.call(&fcall).await?.into().map_err(transport)?;
        Ok(!left)
    }

    /// Makes sure, once, that the deployment has as many partitions as the settings say.
    async fn lay_out(&self) -> Result<Uuid, EngineError> {
        if let Some(deployment) = self.deployment.get() {
            return Ok(*deployment);
        }
        let families = BTreeMap::from(families(&self.settings.partitions));
        let layout = Wire::map([
            ("families", Wire::of(&families).map_err(transport)?),
            ("deployment", Wire::of(&Uuid::new_v4()).map_err(transport)?),
        ]);
        let look = self.server.fcall("kept_layout", true, 0, &layout, None)?;
        let kept: Option<Uuid> = self.server.call(&look).await?.into().map_err(transport)?;
        let deployment = if let Some(deployment) = kept {
            deployment
        } else {
            let keep = self.server.fcall("keep_layout", false, 0, &layout, None)?;
            self.server.call(&keep).await?.into().map_err(transport)?
        };
        Ok(*self.deployment.get_or_init(|| deployment))
    }

    async fn subscribe(&self, call: &Call) -> Result<Reply, EngineError> {
        let deployment = self.lay_out().await?;
        self.hints.listen(self.server.prefix(), &self.claims, &self.waiting, &self.bells);
        let partitions = self.settings.partitions.num_flow_partitions;
        let feed = Arc::new(Outboxes { server: Arc::clone(&self.server), partitions });
        let subscribing = Subscribing { feed, bells: Arc::clone(&self.bells), deployment };
        subscribing.open(call, events::refused).await
    }

    /// Calls the function of the call's method in the partition that the call is about.
    async fn run(&self, call: &Call) -> Result<Reply, EngineError> {
        let content = self.content(call).await?;
        Wire::map([(call.method().as_str(), content)]).into().map_err(transport)
    }

    /// A suspension: the handle that stands for it is made here.
    async fn suspend(&self, call: &Call) -> Result<SuspendOutcome, EngineError> {
        let outcome: Suspension = self.content(call).await?.into().map_err(transport)?;
        let details = outcome.details;
        Ok(match outcome.released {
            Some(payload) => {
                let handle = payload.seal(BackendTag::Valkey, HandleKind::Suspended);
                SuspendOutcome::Suspended { details, handle }
            }
            None => SuspendOutcome::AlreadySatisfied { details },
        })
    }

    /// An attempt that goes on under a lease of the caller's.
    async fn claim_resumed(&self, call: &Call) -> Result<ClaimResumedExecutionResult, EngineError> {
        let begun: Begun = self.content(call).await?.into().map_err(transport)?;
        Ok(claimed_resumed(BackendTag::Valkey, begun.payload, begun.expires_at))
    }

    /// A new attempt under ids of the caller's.
    async fn claim_execution(&self, call: &Call) -> Result<ClaimExecutionResult, EngineError> {
        let begun: Begun = self.content(call).await?.into().map_err(transport)?;
        let kind = begun.attempt_type.unwrap_or(AttemptType::Initial);
        Ok(claimed_execution(BackendTag::Valkey, begun.payload, kind, begun.expires_at))
    }

    /// A takeover, or why there is none.
    async fn reclaim(&self, call: &Call) -> Result<ReclaimExecutionOutcome, EngineError> {
        let outcome: Takeover = self.content(call).await?.into().map_err(transport)?;
        Ok(match outcome {
            Takeover::Claimed(payload) => reclaimed(BackendTag::Valkey, payload),
            Takeover::GrantNotFound { execution_id } => {
                ReclaimExecutionOutcome::GrantNotFound { execution_id }
            }
            Takeover::NotReclaimable { detail, execution_id } => {
                ReclaimExecutionOutcome::NotReclaimable { detail, execution_id }
            }
            Takeover::ReclaimCapExceeded { execution_id, reclaim_count } => {
                ReclaimExecutionOutcome::ReclaimCapExceeded { execution_id, reclaim_count }
            }
        })
    }

    /// Fresh work, wherever it is and whenever it comes.
    async fn claim(
        &self,
        call: &Call,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: &ClaimPolicy,
    ) -> Result<Option<Handle>, EngineError> {
        if policy.max_wait.is_some() {
            self.hints.listen(self.server.prefix(), &self.claims, &self.waiting, &self.bells);
        }
        let search = Search {
            method: call.method(),
            arguments: &arguments(call)?,
            lane,
            offered: capabilities.tokens.iter().cloned().collect(),
            queues: &["queue"],
        };
        let partitions = &self.settings.partitions;
        let look = || async {
            let found = self.claims.first(&self.server, partitions, &search).await?;
            let handle =
                |payload: HandlePayload| payload.seal(BackendTag::Valkey, HandleKind::Fresh);
            Ok(found.map(handle))
        };
        self.waiting.claim(lane, capabilities, policy, look).await
    }

    /// Work for a worker, wherever it is.
    async fn claim_for_worker(
        &self,
        call: &Call,
        args: &ClaimForWorkerArgs,
    ) -> Result<ClaimForWorkerOutcome, EngineError> {
        let search = Search {
            method: call.method(),
            arguments: &arguments(call)?,
            lane: &args.lane_id,
            offered: args.worker_capabilities.clone(),
            queues: &["queue", "resumable"],
        };
        let found = self.claims.first(&self.server, &self.settings.partitions, &search).await?;
        Ok(found.map_or(ClaimForWorkerOutcome::NoWork, ClaimForWorkerOutcome::Granted))
    }

    /// A sign of life of a worker; what is blocked for want of it is lifted.
    async fn sign_of_life<O: DeserializeOwned>(&self, call: &Call) -> Result<O, EngineError> {
        let sign: Sign<O> = self.content(call).await?.into().map_err(transport)?;
        let partitions = self.settings.partitions.num_flow_partitions;
        let tell = |partition, answer: &Answer| self.tell(partition, &answer.work);
        sign.routes.lift(&self.server, partitions, tell).await?;
        Ok(sign.outcome)
    }

    async fn claim_by_token(&self, call: &Call) -> Result<Option<Handle>, EngineError> {
        let begun: Option<HandlePayload> = self.content(call).await?.into().map_err(transport)?;
        Ok(begun.map(|payload| payload.seal(BackendTag::Valkey, HandleKind::Resumed)))
    }

    async fn content(&self, call: &Call) -> Result<Wire, EngineError> {
        let method = call.method();
        let Some(route) = Route::of(call, &self.settings.partitions)? else {
            return Err(EngineError::Unavailable { op: method.as_str() });
        };
        let arguments = arguments(call)?;
        let fcall = self.server.fcall(
            method.as_str(),
            method.is_read(),
            route.home,
            &arguments,
            route.held.as_ref(),
        )?;
        let answer = self.server.called(&fcall).await?;
        self.tell(route.home.index, &answer.work);
        self.tails.wake(route.held.as_ref().map(|held| &held.execution_id));
        Ok(answer.content)
    }

    /// Tells claims that there is more work in these lanes.
    fn tell(&self, partition: u16, work: &[LaneId]) {
        for lane in work {
            self.claims.remember(lane, partition);
            self.waiting.wake(lane);
        }
    }
}

#[async_trait]
impl Housekeeping for ValkeyBackend {
    async fn due(&self, partition: &PartitionKey, limit: usize) -> Result<Vec<Call>, EngineError> {
        check_housekeeping(&self.settings, partition, limit)?;
        self.lay_out().await?;
        let home =
            partition.parse().map_err(|error| EngineError::invalid_input(error.to_string()))?;
        let budgets = Budgets { server: &self.server, partitions: &self.settings.partitions };
        budgets.due(home, limit.min(MAX_PAGE)).await
    }
}

#[async_trait]
impl Dispatch for ValkeyBackend {
    #[allow(clippy::too_many_lines)] // One arm a method.
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        let _wait = self.waits.admit(&call)?;
        admit(&self.settings, &call)?;
        let partitions = self.settings.partitions.num_flow_partitions;
        let looks = !matches!(
            call,
            Call::Prepare {} | Call::Ping {} | Call::ServerTimeMs {} | Call::ShutdownPrepare { .. }
        );
        if looks {
            self.lay_out().await?;
        }
        match &call {
            Call::Claim { lane, capabilities, policy } => {
                self.claim(&call, lane, capabilities, policy).await.map(Reply::Claim)
            }
            Call::ClaimForWorker { args } => {
                self.claim_for_worker(&call, args).await.map(Reply::ClaimForWorker)
            }
            Call::CancelFlow { id, wait, .. } => {
                let reply = self.run(&call).await?;
                if let Some(limit) = cancel_flow_wait_deadline(*wait) {
                    let is_done = || self.backlog_is_done(id);
                    until_cancelled(limit, is_done).await?;
                }
                Ok(reply)
            }
            Call::ListLanes { limit, .. } => {
                let arguments = arguments(&call)?;
                lanes::list(&self.server, partitions, &arguments, *limit)
                    .await
                    .map(Reply::ListLanes)
            }
            Call::ListExpiredLeases { args } => {
                expired::list(&self.server, partitions, args).await.map(Reply::ListExpiredLeases)
            }
            Call::RegisterWorker { .. } => {
                self.sign_of_life(&call).await.map(Reply::RegisterWorker)
            }
            Call::HeartbeatWorker { .. } => {
                self.sign_of_life(&call).await.map(Reply::HeartbeatWorker)
            }
            Call::TrimRetention { .. } => {
                by_parts(&call, |part| async move { self.run(&part).await }).await
            }
            Call::ReconcileExecutionIndex { partition, filter, .. } => {
                let counts = reconcile::reconcile(&self.server, partition.index, filter).await;
                counts.map(Reply::ReconcileExecutionIndex)
            }
            Call::ReconcileBudgetCounters { partition, .. } => {
                let counts = reconcile::counters(&self.server, call.method(), *partition).await;
                counts.map(Reply::ReconcileBudgetCounters)
            }
            Call::ReconcileQuotaCounters { partition, .. } => {
                let counts = reconcile::counters(&self.server, call.method(), *partition).await;
                counts.map(Reply::ReconcileQuotaCounters)
            }
            Call::RotateWaitpointHmacSecretAll { .. } => {
                keys::rotate(&self.server, partitions, &arguments(&call)?)
                    .await
                    .map(Reply::RotateWaitpointHmacSecretAll)
            }
            Call::SeedWaitpointHmacSecret { .. } => {
                keys::seed(&self.server, partitions, &arguments(&call)?)
                    .await
                    .map(Reply::SeedWaitpointHmacSecret)
            }
            Call::AppendFrame { .. } => {
                let outcome = self.content(&call).await?.into().map_err(transport)?;
                Ok(Reply::AppendFrame(outcome))
            }
            Call::ReadStream { .. } => {
                streams::read(&self.server, &call).await.map(Reply::ReadStream)
            }
            Call::TailStream { execution_id, block_ms, .. } => {
                let look = || streams::read(&self.server, &call);
                self.tails.tail(execution_id, *block_ms, look).await.map(Reply::TailStream)
            }
            Call::ReadSummary { .. } => {
                streams::summary(self.content(&call).await?).map(Reply::ReadSummary)
            }
            Call::ClaimExecution { .. } => {
                self.claim_execution(&call).await.map(Reply::ClaimExecution)
            }
            Call::ReclaimExecution { .. } => self.reclaim(&call).await.map(Reply::ReclaimExecution),
            Call::ClaimResumedExecution { .. } => {
                self.claim_resumed(&call).await.map(Reply::ClaimResumedExecution)
            }
            Call::ClaimFromResumeGrant { .. } => {
                self.claim_by_token(&call).await.map(Reply::ClaimFromResumeGrant)
            }
            Call::Suspend { .. } => self.suspend(&call).await.map(Reply::Suspend),
            Call::SuspendByTriple { .. } => self.suspend(&call).await.map(Reply::SuspendByTriple),
            Call::Prepare {} => {
                let outcome = self.server.prepare().await?;
                self.lay_out().await?;
                Ok(Reply::Prepare(outcome))
            }
            Call::Ping {} => self.server.now().await.map(|_| Reply::Ping(())),
            Call::ServerTimeMs {} => {
                let now = self.server.now().await?;
                Ok(Reply::ServerTimeMs(now.0.unsigned_abs()))
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

/// What the library says of a suspension.
#[derive(Deserialize)]
struct Suspension {
    details: SuspendOutcomeDetails,
    /// The lease that was given up; none if the condition was met.
    released: Option<HandlePayload>,
}

/// What the library says of a takeover.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Takeover {
    Claimed(HandlePayload),
    GrantNotFound { execution_id: ExecutionId },
    NotReclaimable { detail: String, execution_id: ExecutionId },
    ReclaimCapExceeded { execution_id: ExecutionId, reclaim_count: u32 },
}

/// What the library says of a lease that has begun.
#[derive(Deserialize)]
struct Begun {
    payload: HandlePayload,
    expires_at: TimestampMs,
    /// Of an attempt that has begun with it.
    attempt_type: Option<AttemptType>,
}

/// The arguments by name. For how long a call may wait is nothing to the library, and no number for it; what may
/// be repeated is the same at any time of its caller; an id is written in one way; a policy is understood here.
fn arguments(call: &Call) -> Result<Wire, EngineError> {
    let mut call = Cow::Borrowed(call);
    match &*call {
        Call::Claim { policy, .. } if policy.max_wait.is_some() => {
            if let Call::Claim { policy, .. } = call.to_mut() {
                policy.max_wait = None;
            }
        }
        Call::CancelFlow { .. } => {
            if let Call::CancelFlow { wait, .. } = call.to_mut() {
                *wait = CancelFlowWait::NoWait;
            }
        }
        Call::Suspend { .. } | Call::SuspendByTriple { .. } => {
            if let Call::Suspend { args, .. } | Call::SuspendByTriple { args, .. } = call.to_mut() {
                args.now = TimestampMs(0);
            }
        }
        Call::CompleteExecution { .. } => {
            if let Call::CompleteExecution { args } = call.to_mut() {
                args.now = TimestampMs(0);
            }
        }
        Call::FailExecution { args } => {
            let policy = parse_retry_policy(&args.retry_policy_json)?;
            return Ok(Wire::map([
                ("args", Wire::of(args).map_err(transport)?),
                ("retry_policy", Wire::of(&policy).map_err(transport)?),
            ]));
        }
        Call::AppendFrame { frame, .. } => {
            let new = Appending::of(frame)?;
            let arguments = Wire::of(&new).map_err(transport)?;
            return Ok(match &new.patch {
                Some(patch) => arguments.with("patch", Wire::Raw(tagged(patch))),
                None => arguments,
            });
        }
        Call::CloseWaitpoint { .. } => {
            if let Call::CloseWaitpoint { waitpoint_id: id, .. } = call.to_mut()
                && let Ok(parsed) = id.parse::<WaitpointId>()
            {
                *id = parsed.to_string();
            }
        }
        _ => {}
    }
    Ok(Wire::of(&*call).map_err(transport)?.content())
}
