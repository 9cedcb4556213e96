//! Builders for what goes into a world: executions, and workers that claim them.

use std::collections::HashMap;
use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle, Namespace};
use ff_core::call::{Call, Method};
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy, RoutingRequirements};
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};

use super::callers_now::CALLERS_NOW;
use super::failure::Failure;
use super::world::World;

/// A creation with nothing special about it, also for a backend's own tests.
pub fn plain_execution(id: ExecutionId, lane: LaneId) -> CreateExecutionArgs {
    CreateExecutionArgs {
        partition_id: id.partition(),
        execution_id: id,
        namespace: Namespace::new("tenant"),
        lane_id: lane,
        execution_kind: "op".to_owned(),
        input_payload: b"input".to_vec(),
        payload_encoding: None,
        priority: 0,
        creator_identity: "suite".to_owned(),
        idempotency_key: None,
        tags: HashMap::new(),
        policy: None,
        delay_until: None,
        execution_deadline_at: None,
        now: TimestampMs::now(),
    }
}

impl World {
    /// Begins an execution with nothing special about it.
    pub fn execution(&self) -> ExecutionBuilder {
        let id = self.execution_id();
        let args = CreateExecutionArgs { now: CALLERS_NOW, ..plain_execution(id, self.lane()) };
        ExecutionBuilder { world: self.clone(), args }
    }

    /// Begins an execution in this partition.
    pub fn execution_in(&self, partition: u16) -> ExecutionBuilder {
        self.execution().id(&self.execution_id_in(partition))
    }

    /// Begins a worker with nothing special about it.
    pub fn worker(&self) -> Worker {
        Worker::new(self.clone(), self.lane())
    }

    /// A new execution, claimed.
    pub async fn claimed(&self) -> Result<(ExecutionId, Handle), Failure> {
        self.execution().claimed().await
    }

    /// Begins an execution that can join the flow.
    pub fn execution_for(&self, flow: &FlowId) -> ExecutionBuilder {
        let id = ExecutionId::deterministic_for_flow(flow, &self.partitions(), self.uuid());
        self.execution().id(&id)
    }

    /// Whether any of the reads that show holders shows this one.
    async fn is_held_by(&self, id: &ExecutionId, instance: &str) -> Result<bool, EngineError> {
        if self.claims(Method::DescribeExecution) {
            let snapshot = self.describe_execution(id).await?;
            let lease = snapshot.and_then(|snapshot| snapshot.current_lease);
            if lease.is_some_and(|lease| lease.worker_instance_id.as_str() == instance) {
                return Ok(true);
            }
        }
        if !self.claims(Method::ReadExecCoreFields) {
            return Ok(false);
        }
        let field = "current_worker_instance_id";
        let mut fields = self.read_exec_core_fields(self.partition_of(id), id, &[field]).await?;
        Ok(fields.remove(field).flatten().as_deref() == Some(instance))
    }

    /// A new execution in the flow.
    pub async fn member(&self, flow: &FlowId) -> Result<ExecutionId, Failure> {
        let id = self.execution_for(flow).create().await?;
        self.join(flow, &id).await.map_err(Failure::setup_refused)?;
        Ok(id)
    }
}

/// An execution to be.
#[derive(Clone)]
pub struct ExecutionBuilder {
    world: World,
    args: CreateExecutionArgs,
}

impl ExecutionBuilder {
    #[must_use]
    pub fn id(mut self, id: &ExecutionId) -> Self {
        self.args.execution_id = id.clone();
        self.args.partition_id = id.partition();
        self
    }

    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.args.input_payload = payload.to_vec();
        self
    }

    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.args.priority = priority;
        self
    }

    #[must_use]
    pub fn lane(mut self, lane: &str) -> Self {
        self.args.lane_id = LaneId::new(lane);
        self
    }

    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.args.namespace = Namespace::new(namespace);
        self
    }

    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.args.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.args.idempotency_key = Some(key.to_owned());
        self
    }

    #[must_use]
    pub fn delay_until(mut self, at: TimestampMs) -> Self {
        self.args.delay_until = Some(at);
        self
    }

    #[must_use]
    pub fn policy(mut self, change: impl FnOnce(&mut ExecutionPolicy)) -> Self {
        change(self.args.policy.get_or_insert_default());
        self
    }

    /// Tokens that a worker must offer.
    #[must_use]
    pub fn requires(self, tokens: &[&str]) -> Self {
        let required = tokens.iter().map(|token| (*token).to_owned()).collect();
        self.policy(|policy| {
            policy.routing_requirements = Some(RoutingRequirements {
                required_capabilities: required,
                ..RoutingRequirements::default()
            });
        })
    }

    /// `max_retries` retries, each after the same wait.
    #[must_use]
    pub fn retries(self, max_retries: u32, delay_ms: u64) -> Self {
        self.retry_policy(RetryPolicy {
            max_retries,
            backoff: BackoffStrategy::Fixed { delay_ms },
            ..RetryPolicy::default()
        })
    }

    #[must_use]
    pub fn retry_policy(self, retry: RetryPolicy) -> Self {
        self.policy(|policy| policy.retry_policy = Some(retry))
    }

    /// Changes any argument.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut CreateExecutionArgs)) -> Self {
        change(&mut self.args);
        self
    }

    pub fn args(&self) -> CreateExecutionArgs {
        self.args.clone()
    }

    /// Creates it for what follows.
    pub async fn create(self) -> Result<ExecutionId, Failure> {
        self.created().await.map_err(Failure::in_setup)
    }

    /// Creates it, and asserts that it is new.
    pub async fn created(self) -> Result<ExecutionId, Failure> {
        let expected = self.args.execution_id.clone();
        match self.try_create().await? {
            CreateExecutionResult::Created { execution_id, .. } if execution_id == expected => {
                Ok(execution_id)
            }
            other => Err(Failure::new(format!("{expected} is created, not {other:?}"))),
        }
    }

    pub async fn try_create(self) -> Result<CreateExecutionResult, EngineError> {
        let (id, lane) = (self.args.execution_id.clone(), self.args.lane_id.clone());
        let result = self.world.create_execution(self.args).await?;
        self.world.remember(id, lane);
        Ok(result)
    }

    /// Creates and claims it.
    pub async fn claimed(self) -> Result<(ExecutionId, Handle), Failure> {
        let worker = self.world.worker().lane(self.args.lane_id.as_str());
        let id = self.create().await?;
        let handle = worker.claim().await?;
        Ok((id, handle))
    }
}

impl From<ExecutionBuilder> for Call {
    fn from(builder: ExecutionBuilder) -> Self {
        Self::CreateExecution { args: builder.args }
    }
}

/// A worker about to claim.
#[derive(Clone)]
pub struct Worker {
    world: World,
    lane: LaneId,
    offers: Vec<String>,
    policy: ClaimPolicy,
}

impl Worker {
    /// A worker with leases of 30 s that offers nothing and does not wait.
    pub(crate) fn new(world: World, lane: LaneId) -> Self {
        let worker = WorkerId::new("worker");
        let instance = WorkerInstanceId::new("worker-1");
        Self {
            world,
            lane,
            offers: Vec::new(),
            policy: ClaimPolicy::new(worker, instance, 30_000, None),
        }
    }

    #[must_use]
    pub fn lane(mut self, lane: &str) -> Self {
        self.lane = LaneId::new(lane);
        self
    }

    /// Tokens it offers.
    #[must_use]
    pub fn offers(mut self, tokens: &[&str]) -> Self {
        self.offers = tokens.iter().map(|token| (*token).to_owned()).collect();
        self
    }

    /// The length of its leases, in milliseconds.
    #[must_use]
    pub fn ttl(mut self, millis: u32) -> Self {
        self.policy.lease_ttl_ms = millis;
        self
    }

    #[must_use]
    pub fn named(mut self, worker: &str, instance: &str) -> Self {
        self.policy.worker_id = WorkerId::new(worker);
        self.policy.worker_instance_id = WorkerInstanceId::new(instance);
        self
    }

    #[must_use]
    pub fn waiting(mut self, limit: Duration) -> Self {
        self.policy.max_wait = Some(limit);
        self
    }

    /// Claims for what follows.
    pub async fn claim(&self) -> Result<Handle, Failure> {
        self.finds_work().await.map_err(Failure::in_setup)
    }

    /// Claims, and asserts that there is work.
    pub async fn finds_work(&self) -> Result<Handle, Failure> {
        let claimed = self.try_claim().await?;
        let answered = || {
            Failure::refused(
                "a claim where work waits".to_owned(),
                "a handle",
                "Ok(None)".to_owned(),
            )
        };
        claimed.ok_or_else(answered)
    }

    pub async fn try_claim(&self) -> Result<Option<Handle>, EngineError> {
        let offers = CapabilitySet::new(self.offers.clone());
        self.world.claim(&self.lane, &offers, self.policy.clone()).await
    }

    /// Claims under an instance name of its own, and tells which execution it was.
    pub async fn claim_next(&self) -> Result<Option<(ExecutionId, Handle)>, Failure> {
        let instance = self.world.uuid().to_string();
        let worker = self.policy.worker_id.as_str().to_owned();
        let Some(handle) = self.clone().named(&worker, &instance).try_claim().await? else {
            return Ok(None);
        };
        for id in self.world.created() {
            if self.world.is_held_by(&id, &instance).await? {
                return Ok(Some((id, handle)));
            }
        }
        Err(Failure::setup("no read tells which execution was claimed"))
    }

    /// Claims until nothing is left; which executions it were, in order.
    pub async fn drains(&self) -> Result<Vec<ExecutionId>, Failure> {
        let most = self.world.created().len();
        let mut order = Vec::new();
        while let Some(id) = self.claims().await? {
            order.push(id);
            expect!(order.len() <= most, "no more is claimed than was created: {order:?}");
        }
        Ok(order)
    }

    /// Claims, and tells only which execution it was.
    pub async fn claims(&self) -> Result<Option<ExecutionId>, Failure> {
        Ok(self.claim_next().await?.map(|(id, _)| id))
    }
}
