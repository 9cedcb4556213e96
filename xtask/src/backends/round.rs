//! Every method that has rules, called once.

use std::future::Future;
use std::time::Duration;

use ff_conformance::{Deployment, plain_execution};
use ff_core::backend::{
    ClaimPolicy, Handle, HandlePayload, ResumeCondition, SignalMatcher, SuspendArgs,
    SuspensionReasonCode, TimeoutBehavior, WaitpointBinding,
};
use ff_core::call::{Call, Reply};
use ff_core::contracts::{ClaimResumedExecutionResult, DeliverApprovalSignalArgs};
use ff_core::partition::{Partition, PartitionConfig, PartitionKey, flow_partition};
use ff_core::types::{
    EdgeId, ExecutionId, FlowId, LaneId, SuspensionId, TimestampMs, WaitpointId, WorkerId,
    WorkerInstanceId,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// What is done with each call.
pub(super) trait Each {
    /// Makes the call, which succeeds.
    fn make(&mut self, deployment: &Deployment, call: &Call) -> impl Future<Output = Reply>;
}

/// Makes the call, which succeeds.
pub(super) async fn made(deployment: &Deployment, call: &Call) -> Reply {
    let reply = call.send(&**deployment.backend()).await;
    reply.unwrap_or_else(|error| panic!("{call:?}: {error}"))
}

/// A round of calls.
pub(super) struct Round<E> {
    pub(super) deployment: Deployment,
    lane: LaneId,
    pub(super) each: E,
}

impl<E: Each> Round<E> {
    pub(super) fn of(deployment: Deployment, each: E) -> Self {
        Self { deployment, lane: LaneId::new("lane"), each }
    }

    /// Makes the call that is written like this.
    pub(super) async fn call(&mut self, call: Value) -> Reply {
        let call: Call = serde_json::from_value(call).unwrap();
        self.each.make(&self.deployment, &call).await
    }

    pub(super) async fn create(&mut self, id: &ExecutionId, delay: Option<TimestampMs>) {
        let mut args = plain_execution(id.clone(), self.lane.clone());
        args.delay_until = delay;
        self.call(json!({ "create_execution": { "args": args } })).await;
    }

    pub(super) async fn claim(&mut self) -> Handle {
        let worker = WorkerInstanceId::new("worker");
        let policy = ClaimPolicy::new(WorkerId::new("worker"), worker, 1_000, None);
        let claim =
            json!({ "lane": self.lane, "capabilities": { "tokens": [] }, "policy": policy });
        match self.call(json!({ "claim": claim })).await {
            Reply::Claim(Some(lease)) => lease,
            other => panic!("there is work: {other:?}"),
        }
    }

    async fn flow(&mut self) -> FlowId {
        let flow_id = FlowId::new();
        let args = json!({
            "flow_id": flow_id, "flow_kind": "dag", "namespace": "tenant", "now": 0,
        });
        self.call(json!({ "create_flow": { "args": args } })).await;
        flow_id
    }

    async fn join(&mut self, flow_id: &FlowId, id: &ExecutionId) {
        let args = json!({ "flow_id": flow_id, "execution_id": id, "now": 0 });
        self.call(json!({ "add_execution_to_flow": { "args": args } })).await;
    }

    async fn depend(
        &mut self,
        flow: &FlowId,
        up: &ExecutionId,
        down: &ExecutionId,
        revision: u64,
    ) -> EdgeId {
        let edge_id = EdgeId::new();
        let mut args = json!({
            "flow_id": flow, "edge_id": edge_id, "upstream_execution_id": up,
            "downstream_execution_id": down, "dependency_kind": "success_only",
            "expected_graph_revision": revision, "graph_revision": revision + 1, "now": 0,
        });
        self.call(json!({ "stage_dependency_edge": { "args": args } })).await;
        args["data_passing_ref"] = Value::Null;
        self.call(json!({ "apply_dependency_to_child": { "args": args } })).await;
        edge_id
    }

    /// Calls every method that has rules.
    #[allow(clippy::too_many_lines)] // A script.
    pub(super) async fn play(&mut self) {
        let partitions = PartitionConfig::default();
        let flow = self.flow().await;
        let home = flow_partition(&flow, &partitions);
        let key = PartitionKey::from(&home);
        let id = || ExecutionId::from_parts(home.index, Uuid::new_v4());
        let [one, two, three, alone] = [id(), id(), id(), id()];
        self.create(&one, None).await;
        let lease = self.claim().await;
        for member in [&two, &three] {
            self.create(member, None).await;
        }
        for member in [&one, &two, &three] {
            self.join(&flow, member).await;
        }
        let any = json!({ "any_of": { "on_satisfied": "cancel_remaining" } });
        self.call(json!({ "set_edge_group_policy": {
            "flow_id": flow, "downstream_execution_id": two, "policy": any,
        } }))
        .await;
        let edge = self.depend(&flow, &one, &two, 3).await;
        self.depend(&flow, &three, &two, 4).await;

        self.call(json!({ "renew": { "handle": lease } })).await;
        self.call(json!({ "progress": { "handle": lease, "percent": 50, "message": "half" } }))
            .await;
        for (read, name) in [
            ("describe_execution", "id"),
            ("read_execution_info", "id"),
            ("read_execution_state", "id"),
            ("get_execution_result", "id"),
            ("read_execution_context", "execution_id"),
            ("get_execution_namespace", "execution_id"),
            ("read_current_attempt_index", "execution_id"),
            ("read_total_attempt_count", "execution_id"),
            ("resolve_execution_flow_id", "execution_id"),
        ] {
            self.call(json!({ read: { name: one } })).await;
        }
        self.call(json!({ "read_exec_core_fields": {
            "partition": home, "execution_id": one, "fields": ["lane_id", "started_at"],
        } }))
        .await;
        self.call(
            json!({ "set_execution_tag": { "execution_id": one, "key": "app.k", "value": "v" } }),
        )
        .await;
        self.call(json!({ "get_execution_tag": { "execution_id": one, "key": "app.k" } })).await;
        self.call(json!({ "set_flow_tag": { "flow_id": flow, "key": "app.k", "value": "v" } }))
            .await;
        self.call(json!({ "get_flow_tag": { "flow_id": flow, "key": "app.k" } })).await;
        self.call(json!({ "list_executions": { "partition": key, "cursor": null, "limit": 10 } }))
            .await;
        self.call(json!({ "list_flows": { "partition": key, "cursor": null, "limit": 10 } })).await;
        self.call(json!({ "list_lanes": { "cursor": null, "limit": 10 } })).await;
        let secret = "0f".repeat(32);
        let first = json!({ "kid": "first", "secret_hex": secret });
        self.call(json!({ "seed_waitpoint_hmac_secret": { "args": first } })).await;
        let next = Uuid::new_v4().to_string();
        let next = json!({ "new_kid": next, "new_secret_hex": secret, "grace_ms": 60_000 });
        self.call(json!({ "rotate_waitpoint_hmac_secret_all": { "args": next } })).await;
        self.call(json!({ "describe_flow": { "id": flow } })).await;
        self.call(json!({ "describe_edge": { "flow_id": flow, "edge_id": edge } })).await;
        self.call(json!({ "list_edges": {
            "flow_id": flow, "direction": { "incoming": { "to_node": two } },
        } }))
        .await;
        self.call(json!({ "evaluate_flow_eligibility": { "args": { "execution_id": two } } }))
            .await;
        self.call(
            json!({ "project_flow_summary": { "partition": home, "flow_id": flow, "now_ms": 0 } }),
        )
        .await;

        self.call(json!({ "complete": { "handle": lease, "payload": "done" } })).await;
        self.call(json!({ "resolve_dependency": { "args": {
            "partition": home, "flow_id": flow, "edge_id": edge, "upstream_execution_id": one,
            "downstream_execution_id": two, "lane_id": self.lane, "current_attempt_index": 0,
            "upstream_outcome": "success", "now": 0,
        } } }))
        .await;
        let group = json!({ "flow_partition": home, "flow_id": flow, "downstream_eid": two });
        self.call(json!({ "reconcile_sibling_cancel_group": group })).await;
        self.call(json!({ "drain_sibling_cancel_group": group })).await;
        self.call(json!({ "cascade_completion": { "payload": {
            "execution_id": one, "outcome": "success", "payload_bytes": null, "produced_at_ms": 0,
            "flow_id": flow,
        } } }))
        .await;
        self.call(
            json!({ "cancel_flow": { "id": flow, "policy": "cancel_all", "wait": "no_wait" } }),
        )
        .await;

        let closed = self.flow().await;
        let args = json!({
            "flow_id": closed, "cancellation_policy": "flow_only", "reason": "late", "now": 0,
        });
        self.call(json!({ "cancel_flow_header": { "args": args } })).await;
        self.call(json!({ "ack_cancel_member": { "flow_id": closed, "execution_id": one } })).await;

        let clock = self.deployment.clock().unwrap().clone();
        self.create(&alone, Some(TimestampMs(clock.now().0 + 5))).await;
        clock.advance(Duration::from_millis(5));
        self.call(json!({ "promote_delayed": {
            "partition": home, "lane": self.lane, "execution_id": alone, "now_ms": 0,
        } }))
        .await;
        let lease = self.claim().await;
        let reason = json!({ "message": "boom", "detail": null });
        self.call(json!({ "fail": {
            "handle": lease, "reason": reason, "classification": "permanent",
        } }))
        .await;
        let again = json!({ "replay_execution": { "args": { "execution_id": alone, "now": 0 } } });
        self.call(again.clone()).await;
        let lease = self.claim().await;
        self.call(json!({ "wait_children": { "handle": lease } })).await;
        self.call(json!({ "cancel_execution": { "args": {
            "execution_id": alone, "attempt_id": null, "lease_epoch": null, "lease_id": null,
            "reason": "why", "source": "operator_override", "now": 0,
        } } }))
        .await;
        self.call(again.clone()).await;
        let lease = self.claim().await;
        self.call(json!({ "cancel": { "handle": lease, "reason": "why" } })).await;
        self.call(again).await;
        self.claim().await;
        clock.advance(Duration::from_secs(1));
        self.call(
            json!({ "mark_lease_expired_if_due": { "partition": home, "execution_id": alone } }),
        )
        .await;
        self.suspend(home).await;
        self.call(json!({ "ping": {} })).await;
        self.call(json!({ "server_time_ms": {} })).await;
    }

    /// Calls every method about waitpoints, suspensions and signals.
    async fn suspend(&mut self, home: Partition) {
        let key = PartitionKey::from(&home);
        let [signalled, approved] =
            [(); 2].map(|()| ExecutionId::from_parts(home.index, Uuid::new_v4()));

        self.create(&signalled, None).await;
        let lease = self.claim().await;
        let made = json!({
            "handle": lease, "waitpoint_key": "wp", "expires_in": { "secs": 60, "nanos": 0 },
        });
        let Reply::CreateWaitpoint(made) = self.call(json!({ "create_waitpoint": made })).await
        else {
            panic!("a waitpoint is made");
        };
        let pending = made.waitpoint_id;
        self.call(json!({ "read_waitpoint_token": { "partition": key, "waitpoint_id": pending } }))
            .await;
        let list = json!({ "execution_id": signalled, "after": null, "limit": 10 });
        self.call(json!({ "list_pending_waitpoints": { "args": list } })).await;
        let args = suspension(WaitpointBinding::UsePending { waitpoint_id: pending });
        self.call(json!({ "suspend": { "handle": lease, "args": args } })).await;
        let page = json!({ "partition": key, "cursor": null, "limit": 10 });
        self.call(json!({ "list_suspended": page })).await;
        let signal = json!({
            "execution_id": signalled, "waitpoint_id": pending, "now": 0,
            "waitpoint_token": made.hmac_token, "signal_id": Uuid::new_v4(), "signal_name": "go",
            "signal_category": "external", "source_identity": "tester", "source_type": "suite",
            "target_scope": "waitpoint", "idempotency_key": "key",
        });
        self.call(json!({ "deliver_signal": { "args": signal } })).await;
        self.call(json!({ "observe_signals": { "handle": lease } })).await;
        let closing = json!({
            "partition": home, "execution_id": signalled, "waitpoint_id": pending, "now_ms": 0,
        });
        self.call(json!({ "close_waitpoint": closing })).await;

        self.create(&approved, None).await;
        let lease = self.claim().await;
        let fence = HandlePayload::open(lease.backend, &lease).unwrap().fence;
        let waitpoint_id = WaitpointId::new();
        let fresh = WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "wp".to_owned() };
        self.call(json!({ "suspend_by_triple": {
            "exec_id": approved, "triple": fence, "args": suspension(fresh),
        } }))
        .await;
        let lane = self.lane.clone();
        let approval = DeliverApprovalSignalArgs::new(
            approved,
            lane,
            waitpoint_id,
            "go",
            "one",
            60_000,
            None,
            None,
        );
        self.call(json!({ "deliver_approval_signal": { "args": approval } })).await;
        self.go_on(home).await;
        self.by_name(home).await;
    }

    /// Resumes an execution, and goes on with its attempt by both methods.
    async fn go_on(&mut self, home: Partition) {
        let key = PartitionKey::from(&home);
        let resumed = ExecutionId::from_parts(home.index, Uuid::new_v4());
        self.create(&resumed, None).await;
        let lease = self.claim().await;
        let waitpoint_id = WaitpointId::new();
        let fresh = WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "wp".to_owned() };
        let now = self.deployment.clock().unwrap().now();
        let args = suspension(fresh).with_timeout(now, TimeoutBehavior::Escalate);
        self.call(json!({ "suspend": { "handle": lease, "args": args } })).await;
        self.call(json!({ "expire_suspension": {
            "partition": home, "execution_id": resumed, "now_ms": 0,
        } }))
        .await;
        let resume = json!({
            "execution_id": resumed, "resume_delay_ms": 0, "trigger_type": "operator",
        });
        self.call(json!({ "resume_execution": { "args": resume } })).await;

        let grant = json!({
            "execution_id": resumed, "lane_id": self.lane, "worker_id": "worker",
            "worker_instance_id": "worker", "partition": home, "worker_capabilities": [],
            "grant_ttl_ms": 60_000, "now": 0,
        });
        self.call(json!({ "issue_claim_grant": { "args": grant } })).await;
        let again = json!({
            "execution_id": resumed, "current_attempt_index": 0, "lane_id": self.lane,
            "lease_id": Uuid::new_v4(), "lease_ttl_ms": 60_000, "worker_id": "worker",
            "worker_instance_id": "worker", "now": 0,
        });
        let claimed = self.call(json!({ "claim_resumed_execution": { "args": again } })).await;
        let Reply::ClaimResumedExecution(ClaimResumedExecutionResult::Claimed(claimed)) = claimed
        else {
            panic!("it goes on: {claimed:?}");
        };
        let waitpoint_id = WaitpointId::new();
        let fresh = WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "wp".to_owned() };
        let suspend = json!({ "handle": claimed.handle, "args": suspension(fresh) });
        self.call(json!({ "suspend": suspend })).await;
        self.call(json!({ "resume_execution": { "args": resume } })).await;
        self.call(json!({ "issue_claim_grant": { "args": grant } })).await;
        let token = json!({
            "grant": {
                "execution_id": resumed, "partition_key": key, "grant_key": "grant",
                "expires_at_ms": 0, "lane_id": self.lane,
            },
            "worker_id": "worker", "worker_instance_id": "worker", "lease_ttl_ms": 60_000,
        });
        self.call(json!({ "claim_from_resume_grant": { "token": token } })).await;
    }

    /// Begins attempts by a grant and as an operator, and ends them without their handles.
    async fn by_name(&mut self, home: Partition) {
        let id = ExecutionId::from_parts(home.index, Uuid::new_v4());
        self.create(&id, None).await;
        let priority = json!({
            "execution_id": id, "lane_id": self.lane, "new_priority": 7, "now": 0,
        });
        self.call(json!({ "change_priority": { "args": priority } })).await;
        let grant = json!({
            "execution_id": id, "lane_id": self.lane, "worker_id": "worker",
            "worker_instance_id": "worker", "partition": home, "worker_capabilities": [],
            "grant_ttl_ms": 60_000, "now": 0,
        });
        self.call(json!({ "issue_claim_grant": { "args": grant } })).await;
        let scan = json!({ "lane_id": self.lane, "partition": home, "limit": 10 });
        self.call(json!({ "scan_eligible_executions": { "args": scan } })).await;
        let fence = json!({
            "lease_id": Uuid::new_v4(), "lease_epoch": 1, "attempt_id": Uuid::new_v4(),
        });
        let redeem = json!({
            "execution_id": id, "worker_id": "worker", "worker_instance_id": "worker",
            "lane_id": self.lane, "lease_id": fence["lease_id"], "lease_ttl_ms": 60_000,
            "attempt_id": fence["attempt_id"], "expected_attempt_index": 0,
            "attempt_policy_json": "", "now": 0,
        });
        self.call(json!({ "claim_execution": { "args": redeem } })).await;
        let renewal = json!({
            "execution_id": id, "attempt_index": 0, "fence": fence, "lease_history_grace_ms": 0,
            "lease_ttl_ms": 60_000,
        });
        self.call(json!({ "renew_lease": { "args": renewal } })).await;
        let retry = r#"{"backoff":{"type":"fixed","delay_ms":0}}"#;
        let failure = json!({
            "execution_id": id, "attempt_index": 0, "failure_category": "transient",
            "failure_reason": "boom", "fence": fence, "next_attempt_policy_json": "",
            "retry_policy_json": retry, "source": "lease_holder",
        });
        self.call(json!({ "fail_execution": { "args": failure } })).await;
        self.call(json!({ "promote_delayed": {
            "partition": home, "lane": self.lane, "execution_id": id, "now_ms": 0,
        } }))
        .await;
        let operator = json!({
            "execution_id": id, "lane_id": self.lane, "lease_duration_ms": 60_000,
        });
        self.call(json!({ "issue_grant_and_claim": { "args": operator } })).await;
        let completion = json!({
            "execution_id": id, "attempt_index": 1, "source": "operator_override", "now": 0,
        });
        self.call(json!({ "complete_execution": { "args": completion } })).await;

        self.assign(home).await;

        let delayed = ExecutionId::from_parts(home.index, Uuid::new_v4());
        self.create(&delayed, None).await;
        let lease = self.claim().await;
        self.call(json!({ "delay": { "handle": lease, "delay_until": 1 } })).await;
        self.take_over(home).await;
        self.block(home).await;
        self.register().await;
        self.meter(home).await;
    }

    /// Finds work for a worker, and ends it.
    async fn assign(&mut self, home: Partition) {
        let id = ExecutionId::from_parts(home.index, Uuid::new_v4());
        self.create(&id, None).await;
        let find = json!({
            "lane_id": self.lane, "worker_id": "worker", "worker_instance_id": "worker",
            "worker_capabilities": [], "grant_ttl_ms": 60_000,
        });
        self.call(json!({ "claim_for_worker": { "args": find } })).await;
        let cancel = json!({
            "execution_id": id, "attempt_id": null, "lease_epoch": null, "lease_id": null,
            "reason": "why", "source": "operator_override", "now": 0,
        });
        self.call(json!({ "cancel_execution": { "args": cancel } })).await;
        self.call(json!({ "trim_retention": {
            "partition": home, "lane_id": self.lane, "retention_ms": 0, "now_ms": 0,
            "batch_size": 100, "filter": { "namespace": null, "instance_tag": null },
        } }))
        .await;
        self.call(json!({ "reconcile_execution_index": {
            "partition": home, "lanes": [], "filter": { "namespace": null, "instance_tag": null },
        } }))
        .await;
    }

    /// Registers a worker, hears of it and strikes it off.
    async fn register(&mut self) {
        let registration = json!({
            "worker_id": "worker", "worker_instance_id": "one", "lanes": [self.lane],
            "capabilities": ["cpu"], "liveness_ttl_ms": 60_000, "namespace": "tenant", "now": 0,
        });
        self.call(json!({ "register_worker": { "args": registration } })).await;
        let sign = json!({ "worker_instance_id": "one", "namespace": "tenant", "now": 0 });
        self.call(json!({ "heartbeat_worker": { "args": sign } })).await;
        let list = json!({ "after": null, "limit": 10, "namespace": "tenant" });
        self.call(json!({ "list_workers": { "args": list } })).await;
        let death = json!({
            "worker_instance_id": "one", "namespace": "tenant", "reason": "why", "now": 0,
        });
        self.call(json!({ "mark_worker_dead": { "args": death } })).await;
        let list = json!({
            "as_of": 1, "after": null, "limit": 10, "max_partitions_per_call": null,
            "namespace": null,
        });
        self.call(json!({ "list_expired_leases": { "args": list } })).await;
    }

    /// Keeps an execution from claims, lets it go, and ends it by its deadline.
    async fn block(&mut self, home: Partition) {
        let id = ExecutionId::from_parts(home.index, Uuid::new_v4());
        let mut args = plain_execution(id.clone(), self.lane.clone());
        args.execution_deadline_at = Some(TimestampMs(1));
        self.call(json!({ "create_execution": { "args": args } })).await;
        let block = |reason: &str, what: &str| {
            json!({
                "execution_id": id, "lane_id": self.lane, "partition": home, reason: what,
                "reason_detail": "why", "now": 0,
            })
        };
        let denied = block("reason", "waiting_for_quota");
        let routed = block("reason_code", "waiting_for_capable_worker");
        let unblock = |reason: &str| {
            json!({
                "unblock_execution": {
                    "partition": home, "lane_id": self.lane, "execution_id": id,
                    "expected_blocking_reason": reason, "now_ms": 0,
                },
            })
        };
        let (admit, route) = (unblock("waiting_for_quota"), unblock("waiting_for_capable_worker"));
        self.call(json!({ "block_execution_for_admission": { "args": denied } })).await;
        self.call(admit).await;
        self.call(json!({ "block_route": { "args": routed } })).await;
        self.call(route).await;
        let expire = json!({
            "partition": home, "execution_id": id, "phase": "execution_deadline", "now_ms": 0,
        });
        self.call(json!({ "expire_execution": expire })).await;
    }

    /// Takes a lease from its holder, and takes the execution over.
    async fn take_over(&mut self, home: Partition) {
        let id = ExecutionId::from_parts(home.index, Uuid::new_v4());
        self.create(&id, None).await;
        self.claim().await;
        let revocation = json!({
            "execution_id": id, "reason": "why", "worker_instance_id": "",
        });
        self.call(json!({ "revoke_lease": { "args": revocation } })).await;
        let grant = json!({
            "execution_id": id, "lane_id": self.lane, "worker_id": "worker",
            "worker_instance_id": "worker", "worker_capabilities": [], "grant_ttl_ms": 60_000,
            "now": 0,
        });
        self.call(json!({ "issue_reclaim_grant": { "args": grant } })).await;
        let reclaim = json!({
            "execution_id": id, "worker_id": "worker", "worker_instance_id": "worker",
            "lane_id": self.lane, "lease_id": Uuid::new_v4(), "lease_ttl_ms": 60_000,
            "attempt_id": Uuid::new_v4(), "attempt_policy_json": "",
            "old_worker_instance_id": "worker", "current_attempt_index": 0,
        });
        self.call(json!({ "reclaim_execution": { "args": reclaim } })).await;
    }
}

fn suspension(waitpoint: WaitpointBinding) -> SuspendArgs {
    let matcher = SignalMatcher::Wildcard;
    SuspendArgs::new(
        SuspensionId::new(),
        waitpoint,
        ResumeCondition::Single { matcher, waitpoint_key: "wp".to_owned() },
        SuspensionReasonCode::WaitingForSignal,
        TimestampMs(0),
    )
}
