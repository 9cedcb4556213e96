//! Records to store.

use std::collections::{BTreeMap, BTreeSet};

use ff_core::contracts::CreateExecutionArgs;
use ff_core::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy};
use ff_core::types::{EdgeId, ExecutionId, FlowId, LaneId, TimestampMs};
use uuid::Uuid;

use crate::executions;
use crate::records::{
    Edge, EdgeState, Execution, Flow, FlowTags, Idempotency, Lane, Payload, Record, Stored, Tags,
};

/// The same number is the same id, and larger numbers are larger ids.
pub(super) fn uuid(number: u32) -> Uuid {
    Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}

pub(super) fn id(partition: u16, number: u32) -> ExecutionId {
    ExecutionId::from_parts(partition, uuid(number))
}

pub(super) fn flow(number: u32, revision: u64) -> Flow {
    Flow {
        id: FlowId::from_uuid(uuid(number)),
        partition: 3,
        kind: "dag".to_owned(),
        namespace: "tenant".into(),
        created_at: TimestampMs(1),
        public_flow_state: Flow::OPEN.to_owned(),
        graph_revision: revision,
        node_count: 0,
        edge_count: 0,
        last_mutation_at: TimestampMs(1),
        cancelled_at: None,
        cancel_reason: None,
        cancellation_policy: None,
        projection: None,
    }
}

/// An execution that can be claimed.
pub(super) fn execution(id: &ExecutionId, lane: &str, priority: i32, age: i64) -> Execution {
    let args = CreateExecutionArgs {
        execution_id: id.clone(),
        namespace: "tenant".into(),
        lane_id: LaneId::new(lane),
        execution_kind: "kind".to_owned(),
        input_payload: Vec::new(),
        payload_encoding: None,
        priority,
        creator_identity: "suite".to_owned(),
        idempotency_key: None,
        tags: BTreeMap::new().into_iter().collect(),
        policy: None,
        delay_until: None,
        execution_deadline_at: None,
        partition_id: id.partition(),
        now: TimestampMs(age),
    };
    executions::new_execution(&args, TimestampMs(age))
}

pub(super) fn edge(
    flow: u32,
    number: u32,
    upstream: &ExecutionId,
    downstream: &ExecutionId,
) -> Edge {
    Edge {
        flow: FlowId::from_uuid(uuid(flow)),
        id: EdgeId::from_uuid(uuid(number)),
        upstream: upstream.clone(),
        downstream: downstream.clone(),
        dependency_kind: "success_only".to_owned(),
        data_passing_ref: None,
        created_at: TimestampMs(1),
        state: EdgeState::Staged,
    }
}

pub(super) fn tags(number: u32, value: &str) -> Tags {
    Tags {
        execution: id(3, number),
        tags: BTreeMap::from([("app.k".to_owned(), value.to_owned())]),
    }
}

pub(super) fn lane(name: &str) -> Lane {
    Lane { name: LaneId::new(name) }
}

/// Records that are hard to keep: large and empty values, every byte, the last integers.
pub(super) fn difficult() -> Vec<Record> {
    let mut full = execution(&id(u16::MAX, 1), "lane", 9_000, 9_007_199_254_740_991);
    full.requirements = BTreeSet::from(["gpu".to_owned(), "\u{1F980}".to_owned()]);
    full.creator_identity = "'\"\\%_{}\u{1}\u{7f}".to_owned();
    full.policy = Some(ExecutionPolicy {
        retry_policy: Some(RetryPolicy {
            max_retries: u32::MAX,
            backoff: BackoffStrategy::Exponential {
                initial_delay_ms: 1,
                max_delay_ms: 9_007_199_254_740_991,
                multiplier: 1.000_000_000_000_000_2,
                jitter: false,
            },
            retryable_categories: Vec::new(),
        }),
        ..ExecutionPolicy::default()
    });
    let bytes: Vec<u8> = (0..=255).cycle().take(65_536).collect();
    let payload =
        |number, bytes: Vec<u8>| Payload { execution: id(0, number), bytes: bytes.into() };
    vec![
        full.into_record(),
        execution(&id(0, 0), "", 0, 0).into_record(),
        payload(1, bytes).into_record(),
        payload(2, Vec::new()).into_record(),
        tags(1, "\u{fffd}\u{10ffff} 007 1e3 null").into_record(),
        tags(2, &"x".repeat(65_536)).into_record(),
        FlowTags { flow: FlowId::from_uuid(Uuid::nil()), tags: BTreeMap::new() }.into_record(),
        flow(u32::MAX, 9_007_199_254_740_991).into_record(),
        Idempotency {
            partition: 0,
            digest: "d".repeat(64),
            execution: id(0, 1),
            expires_at: TimestampMs(-1),
        }
        .into_record(),
    ]
}
