//! A call of every method, with all of its arguments given.

use ff_core::backend::{
    CancelFlowPolicy, CapabilitySet, FailureClass, FailureReason, Namespace, ScannerFilter,
};
use ff_core::call::Call;
use ff_core::contracts::{
    BlockingReason, EdgeDependencyPolicy, EdgeDirection, ListExpiredLeasesArgs, ListWorkersArgs,
};
use ff_core::engine_backend::ExpirePhase;
use ff_core::partition::PartitionConfig;
use ff_core::types::{EdgeId, TimestampMs, WorkerInstanceId};
use serde_json::{Value, json};

use super::generated::names::Thing;
use super::generated::observed::{Known, page_of};
use super::generated::{budget, quota};
use super::script::fixture::{
    Fixture, beat, cancel, cancel_flow, cancel_header, complete, create_waitpoint, die, flow,
    observe, progress, register, renew, rotate, seed, seeded, suspend, suspended, tag_flow,
    wait_children,
};
use super::script::meters::{
    create_quota, define, defined, quota_created, reconcile_budgets, reconcile_quotas, report,
    report_as_operator, reset,
};
use super::script::streams::append;
use super::script::{Line, call};

/// What leads to a world in which the samples have something to be about: `w1` holds execution 1, which is a
/// member of flow 1 like 2 and 5, an edge is staged from 2 to 5, 9 is suspended on waitpoint 1, 10 can go
/// on by a grant, 13 is held under the attempt and lease 3, 14 can be claimed by a grant, 17 was revoked, 18
/// too and can be taken over, 19 is blocked, 20 is out of time, the worker instance `one` is registered, and there are
/// budget 1 and quota policy 1.
pub(crate) fn ground(fixture: &Fixture) -> Vec<Line> {
    let mut lines = vec![
        fixture.created(1),
        call(fixture.claim("w1"), "handle=fresh"),
        fixture.flow_created(1),
        fixture.created(2),
        fixture.created(5),
        fixture.joined(1, 1, 1),
        fixture.joined(1, 2, 2),
        fixture.joined(1, 5, 3),
        fixture.staged(1, 2, 5, 3),
        seeded(),
        call(fixture.create(9).priority(1), "created.execution_id=e9 created.public_state=waiting"),
        call(fixture.claim("w9"), "handle=fresh"),
        suspended("w9", 1),
        call(
            fixture.create(10).priority(1),
            "created.execution_id=e10 created.public_state=waiting",
        ),
        call(fixture.claim("w10"), "handle=fresh"),
        suspended("w10", 10),
        call(fixture.resume(10, 0), "resumed.public_state=resumable"),
        call(fixture.grant(10), "granted.execution_id=e10"),
        fixture.created(13),
    ];
    lines.extend(fixture.redeemed("w13", 13, 3));
    lines.push(fixture.created(14));
    lines.push(call(fixture.grant(14), "granted.execution_id=e14"));
    for (execution, number) in [(17, 5), (18, 6)] {
        lines.push(fixture.created(execution));
        lines.extend(fixture.redeemed("w17", execution, number));
        let revoked = format!("revoked.lease_epoch=1 revoked.lease_id=l{number}");
        lines.push(call(fixture.revoke(execution), revoked));
    }
    let granted = "granted.execution_id=e18 granted.expires_at_ms=t+60000 granted.grant_key=grant \
                   granted.lane_id=a granted.partition_key=partition";
    lines.push(call(fixture.regrant(18), granted));
    lines.push(call(register(), "registered"));
    lines.push(fixture.created(19));
    lines.push(call(fixture.block_route(19), "blocked.execution_id=e19"));
    lines.push(call(
        fixture.create(20).with(|args| args.execution_deadline_at = Some(TimestampMs(1))),
        "created.execution_id=e20 created.public_state=waiting",
    ));
    lines.extend([defined(1), quota_created(1)]);
    lines
}

/// The samples. Each would do something in that world.
#[allow(clippy::too_many_lines)] // One line a method.
pub(crate) fn samples(fixture: &Fixture, partitions: &PartitionConfig) -> Vec<Call> {
    let member = fixture.execution(2);
    let known = Known {
        executions: [member.clone()].into(),
        flows: [flow(1)].into(),
        members: [(flow(1), member.clone())].into(),
        budgets: [budget(1)].into(),
        quotas: [quota(1)].into(),
    };
    let mut claim = fixture.claim("w2");
    if let Call::Claim { capabilities, .. } = &mut claim {
        *capabilities = CapabilitySet::new(["cpu"]);
    }
    let mut fail = super::script::fixture::fail("w1", FailureClass::Transient);
    if let Call::Fail { reason, .. } = &mut fail {
        *reason = FailureReason::with_detail("boom", b"detail".to_vec());
    }
    let mut calls = vec![
        Call::Ping {},
        Call::Prepare {},
        Call::ServerTimeMs {},
        Call::ShutdownPrepare { grace: std::time::Duration::from_secs(1) },
        fixture.create(6).tag("app.key", "value").into(),
        claim,
        renew("w1"),
        progress("w1", 50),
        append("w1", "text", 1),
        fixture.stream(1),
        fixture.tail(1),
        fixture.summary(1),
        complete("w1", "done"),
        fail,
        cancel("w1", "why"),
        wait_children("w1"),
        fixture.delay("w1", 1_000),
        fixture.renew_lease(13, 3),
        fixture.complete_execution(13, 3),
        fixture.fail_execution(13, 3),
        fixture.redeem("w14", 14, 4),
        fixture.claim_by_operator(2),
        fixture.revoke(13),
        fixture.regrant(17),
        fixture.reclaim("w18", 18, 7),
        fixture.change_priority(2, 5),
        register(),
        beat(),
        die(),
        Call::ListWorkers { args: registry() },
        Call::ListExpiredLeases { args: expired() },
        fixture.block(2, BlockingReason::WaitingForBudget),
        fixture.block_route(2),
        fixture.unblock(19, "waiting_for_capable_worker"),
        define(2),
        reset(1),
        report("w1", 1, 1, "one"),
        report_as_operator(1, 1, "two"),
        fixture.spend(1, 2, 1, "three"),
        fixture.release_budget(1, 2),
        create_quota(2),
        fixture.check_admission(1, 2),
        fixture.release_admission(1, 2),
        reconcile_budgets(),
        reconcile_quotas(),
        fixture.expire(20, ExpirePhase::ExecutionDeadline),
        fixture.grant(2),
        fixture.assign(),
        fixture.scan(2),
        fixture.trim(1, ScannerFilter::NOOP.with_namespace("tenant")),
        fixture.put_back(1, ScannerFilter::NOOP.with_namespace("tenant")),
        fixture.go_on("w11", 10, 1),
        fixture.go_on_by_token("w11", 10),
        fixture.promote(2),
        fixture.mark_lapsed(1),
        fixture.cancel_execution(1),
        fixture.replay(2),
        fixture.tag(2, "app.key", "value"),
        fixture.read_tag(2, "app.key"),
        fixture.create_flow(2),
        fixture.join(1, 6),
        fixture.stage(2, 1, 2, 4),
        fixture.apply(1, 2, 5),
        fixture.resolve(1, 2, 5, "success"),
        fixture.cascade(2),
        fixture.eligibility(2),
        fixture.set_policy(2, EdgeDependencyPolicy::AllOf),
        fixture.drain(5),
        fixture.reconcile(5),
        fixture.acknowledge(2),
        fixture.project(1),
        cancel_flow(1, CancelFlowPolicy::FlowOnly),
        cancel_header(1, "flow_only", "why"),
        tag_flow(1, "app.key", "value"),
        rotate("two"),
        seed("one"),
        create_waitpoint("w1"),
        suspend("w1", 2),
        fixture.suspend_by_triple(1, 2),
        fixture.deliver(1, 9, 1),
        fixture.approve(9, 1),
        observe("w9"),
        fixture.resume(9, 0),
        fixture.expire_suspension(9),
        fixture.close_waitpoint(9, 1),
        fixture.read_token(9, 1),
        fixture.waitpoints(9),
        Call::ListSuspended { partition: page_of(member.partition()), cursor: None, limit: 10 },
        Call::GetFlowTag { flow_id: flow(1), key: "app.key".to_owned() },
        Call::DescribeEdge { flow_id: flow(1), edge_id: EdgeId::from_uuid(Thing::Edge.uuid(1)) },
        Call::ListEdges {
            flow_id: flow(1),
            direction: EdgeDirection::Incoming { to_node: fixture.execution(5) },
        },
        Call::ListExecutions { partition: page_of(member.partition()), cursor: None, limit: 10 },
        Call::ListFlows { partition: page_of(member.partition()), cursor: None, limit: 10 },
        Call::ListLanes { cursor: None, limit: 10 },
    ];
    calls.push(fixture.fields(2, ["lane_id"]));
    let seen: Vec<_> = calls.iter().map(Call::method).collect();
    calls.extend(known.reads(partitions).into_iter().filter(|read| !seen.contains(&read.method())));
    calls.into_iter().map(|call| filled(&call)).collect()
}

/// The workers of a namespace.
fn registry() -> ListWorkersArgs {
    let mut args = ListWorkersArgs::new();
    args.namespace = Some(Namespace::new("tenant"));
    args.after = Some(WorkerInstanceId::new("a"));
    args.limit = Some(10);
    args
}

/// The leases of a namespace that have run out.
fn expired() -> ListExpiredLeasesArgs {
    let mut args = ListExpiredLeasesArgs::new(TimestampMs(1));
    args.namespace = Some(Namespace::new("tenant"));
    args.limit = Some(10);
    args
}

/// A call with a value for each argument that is missing.
fn filled(call: &Call) -> Call {
    let Ok(mut value) = serde_json::to_value(call) else {
        return call.clone();
    };
    fill(&mut value);
    serde_json::from_value(value).unwrap_or_else(|_| call.clone())
}

fn fill(value: &mut Value) {
    let Value::Object(fields) = value else {
        return;
    };
    for (name, value) in fields {
        if value.is_null() {
            *value = given(name);
        }
        fill(value);
    }
}

/// A value for an optional field of this name.
fn given(name: &str) -> Value {
    match name {
        "policy" => json!({
            "retry_policy": {
                "max_retries": 1,
                "backoff": { "type": "exponential" },
                "retryable_categories": ["timeout"],
            },
            "timeout_policy": {
                "attempt_timeout_ms": 100_000,
                "execution_deadline_ms": 100_000,
            },
            "dedup_window_ms": 100_000,
            "delay_until": 1,
            "routing_requirements": {
                "required_capabilities": ["cpu"],
                "preferred_locality": "here",
                "isolation_level": "none",
            },
            "budget_ids": ["3b241101-e2bb-4255-8caf-4136c566a962"],
            "stream_policy": {
                "durability_mode": "durable",
                "retention_maxlen": 10,
                "retention_ttl_ms": 100_000,
            },
            "suspension_policy": { "default_timeout_ms": 100_000, "timeout_behavior": "fail" },
            "fallback_policy": {
                "tiers": [{ "provider": "one", "model": "other", "timeout_ms": 100_000 }],
            },
        }),
        "delay_until" | "execution_deadline_at" | "created_at" | "timeout_at" => {
            json!(4_000_000_000_000_u64)
        }
        "idempotency_key" | "payload_encoding" | "message" | "data_passing_ref"
        | "payload_bytes" => {
            json!("text")
        }
        "payload"
        | "admission_summary"
        | "capability_hash"
        | "route_snapshot_json"
        | "expected_lease_id"
        | "result_payload"
        | "result_encoding"
        | "correlation_id"
        | "continuation_metadata_pointer" => json!("text"),
        "max_reclaim_count" => json!(9),
        "wall_ms"
        | "attempt_timeout_ms"
        | "dedup_ttl_ms"
        | "jitter_ms"
        | "max_signals_per_execution"
        | "maxlen"
        | "resume_delay_ms"
        | "signal_maxlen" => json!(100),
        _ => Value::Null,
    }
}
