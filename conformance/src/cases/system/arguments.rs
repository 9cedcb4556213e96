//! What is wrong with arguments whatever the state.

use ff_core::backend::{FailureClass, FailureReason};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::policy::{RetryPolicy, TimeoutPolicy};
use ff_core::types::{FlowId, LaneId, TimestampMs};

use crate::stage::{Verdict, World, case};

/// U+0000 in any text of a creation.
#[case(SYS_018)]
async fn nul_in_creation(world: World) -> Verdict {
    let nul = "a\0b";
    let broken = [
        world.execution().namespace(nul),
        world.execution().tag("app.k", nul),
        world.execution().key(nul),
        world.execution().with(|args| args.execution_kind = nul.to_owned()),
        world.execution().with(|args| args.creator_identity = nul.to_owned()),
        world.execution().with(|args| args.payload_encoding = Some(nul.to_owned())),
        world.execution().retry_policy(RetryPolicy {
            retryable_categories: vec![nul.to_owned()],
            ..RetryPolicy::default()
        }),
    ];
    for (at, execution) in broken.into_iter().enumerate() {
        let id = execution.args().execution_id;
        expect_refused!(execution.try_create().await, "validation.invalid_input", "text {at}");
        expect_eq!(world.describe_execution(&id).await?, None, "text {at} stores nothing");
    }
    Ok(())
}

/// U+0000 in progress, reasons and tags.
#[case(SYS_018)]
async fn nul_under_lease(world: World) -> Verdict {
    let nul = "a\0b";
    let (id, handle) = world.claimed().await?;
    let before = world.observe(&id).await?;
    let refused = "validation.invalid_input";
    expect_refused!(world.progress(&handle, None, Some(nul.to_owned())).await, refused);
    expect_refused!(world.cancel(&handle, nul).await, refused);
    expect_refused!(world.set_execution_tag(&id, "app.k", nul).await, refused);
    let reason = FailureReason::new(nul);
    expect_refused!(world.fail(&handle, reason, FailureClass::Transient).await, refused);
    expect_eq!(world.observe(&id).await?, before, "nothing changes");
    Ok(())
}

/// U+0000 in a flow's texts.
#[case(SYS_018)]
async fn nul_in_flows(world: World) -> Verdict {
    let mut args = world.flow_args(FlowId::from_uuid(world.uuid()));
    args.flow_kind = "a\0b".to_owned();
    expect_refused!(world.create_flow(args).await, "validation.invalid_input");
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    let mut args = world.edge_args(&flow, &up, &down, 2);
    args.data_passing_ref = Some("a\0b".to_owned());
    expect_refused!(world.stage_dependency_edge(args).await, "validation.invalid_input");
    Ok(())
}

/// Everything else in Unicode comes back as it was.
#[case(SYS_018)]
async fn unicode(world: World) -> Verdict {
    let text = "Grüße, \u{1F980} \u{202E}\u{FEFF}\u{7f}\t\"'\\{}";
    let id = world.execution().namespace(text).tag("app.k", text).create().await?;
    expect_eq!(world.get_execution_namespace(&id).await?.as_deref(), Some(text));
    expect_eq!(world.get_execution_tag(&id, "app.k").await?.as_deref(), Some(text));
    let handle = world.worker().claim().await?;
    world.cancel(&handle, text).await?;
    expect_eq!(world.field(&id, "cancellation_reason").await?.as_deref(), Some(text));
    Ok(())
}

/// A lease of no length.
#[case(SYS_019)]
async fn zero_ttl(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let before = world.observe(&id).await?;
    expect_refused!(world.worker().ttl(0).try_claim().await, "validation.invalid_input");
    expect_eq!(world.observe(&id).await?, before, "nothing is claimed");
    Ok(())
}

/// A partition that is not the execution's.
#[case(SYS_020)]
async fn partition(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let elsewhere = Partition { family: PartitionFamily::Execution, index: id.partition() + 1 };
    refused_everywhere(&world, elsewhere, &id).await
}

/// The flow and the execution family mean the same, the others do not.
#[case(SYS_020)]
async fn partition_family(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let of = |family| Partition { family, index: id.partition() };
    refused_everywhere(&world, of(PartitionFamily::Budget), &id).await?;
    refused_everywhere(&world, of(PartitionFamily::Quota), &id).await?;
    for family in [PartitionFamily::Flow, PartitionFamily::Execution] {
        world.mark_lease_expired_if_due(of(family), &id).await?;
        let fields = world.read_exec_core_fields(of(family), &id, &["lane_id"]).await?;
        expect_eq!(fields["lane_id"].as_deref(), Some("default"), "{family:?}");
    }
    Ok(())
}

async fn refused_everywhere(
    world: &World,
    partition: Partition,
    id: &ff_core::types::ExecutionId,
) -> Verdict {
    let refused = "validation.invalid_input";
    let now = TimestampMs::now();
    expect_refused!(world.mark_lease_expired_if_due(partition, id).await, refused);
    expect_refused!(world.read_exec_core_fields(partition, id, &["lane_id"]).await, refused);
    let promoted = world.promote_delayed(partition, &world.lane(), id, now).await;
    expect_refused!(promoted, refused);
    Ok(())
}

/// A wrong lane does not keep a scanner hook from its work.
#[case(SYS_021, needs(clock))]
async fn lane_hint(world: World) -> Verdict {
    let id = world.execution().delay_until(world.in_ms(10)).create().await?;
    world.advance_ms(10);
    let wrong = LaneId::new("elsewhere");
    let now = TimestampMs::now();
    world.promote_delayed(world.partition_of(&id), &wrong, &id, now).await?;
    expect_eq!(world.worker().lane("elsewhere").claims().await?, None, "it does not move");
    expect_eq!(world.worker().claims().await?, Some(id), "it is claimable where it was created");
    Ok(())
}

/// Integers beyond 2^53 − 1, in arguments and policies.
#[case(SYS_029)]
async fn large_integers(world: World) -> Verdict {
    const BEYOND: i64 = 1 << 53;
    let beyond = BEYOND.unsigned_abs();
    let broken = [
        world.execution().with(|args| args.now = TimestampMs(BEYOND)),
        world.execution().with(|args| args.now = TimestampMs(-BEYOND)),
        world.execution().delay_until(TimestampMs(BEYOND)),
        world.execution().with(|args| args.execution_deadline_at = Some(TimestampMs(BEYOND))),
        world.execution().policy(|policy| policy.dedup_window_ms = Some(beyond)),
        world.execution().retries(1, beyond),
        world.execution().policy(|policy| {
            policy.timeout_policy = Some(TimeoutPolicy {
                attempt_timeout_ms: Some(u64::MAX),
                ..TimeoutPolicy::default()
            });
        }),
    ];
    for (at, execution) in broken.into_iter().enumerate() {
        let id = execution.args().execution_id;
        expect_refused!(execution.try_create().await, "validation.invalid_input", "integer {at}");
        expect_eq!(world.describe_execution(&id).await?, None, "integer {at} stores nothing");
    }
    let id = world.execution().create().await?;
    let (partition, lane) = (world.partition_of(&id), world.lane());
    expect_refused!(
        world.promote_delayed(partition, &lane, &id, TimestampMs(BEYOND)).await,
        "validation.invalid_input"
    );
    Ok(())
}

/// Integers beyond 2^53 − 1 in limits, revisions and times of flows.
#[case(SYS_029)]
async fn large_integers_elsewhere(world: World) -> Verdict {
    const BEYOND: u64 = 1 << 53;
    let refused = "validation.invalid_input";
    let late = TimestampMs(BEYOND.cast_signed());
    let flow = world.flow().await?;
    let (up, down) = (world.member(&flow).await?, world.member(&flow).await?);
    let limit = usize::try_from(BEYOND).unwrap_or(usize::MAX);
    expect_refused!(world.list_lanes(None, limit).await, refused);
    let listed = world.list_executions(world.partition_key_of(&up), None, limit).await;
    expect_refused!(listed, refused, "a limit");
    let mut args = world.flow_args(FlowId::from_uuid(world.uuid()));
    args.now = late;
    expect_refused!(world.create_flow(args).await, refused, "a flow's now");
    for revision in [BEYOND, u64::MAX] {
        let args = world.edge_args(&flow, &up, &down, revision);
        expect_refused!(world.stage_dependency_edge(args).await, refused, "revision {revision}");
    }
    let mut edge = world.staged(&flow, &up, &down, 2).await?;
    edge.graph_revision = BEYOND;
    expect_refused!(world.apply_dependency_to_child(edge).await, refused, "an application's");
    Ok(())
}

/// 2^53 − 1 itself is accepted and comes back.
#[case(SYS_029)]
async fn largest_integer(world: World) -> Verdict {
    let largest = TimestampMs((1 << 53) - 1);
    let id = world.execution().delay_until(largest).create().await?;
    expect_eq!(world.field(&id, "delay_until").await?, Some(largest.to_string()));
    Ok(())
}

/// One byte more than 64 KiB in payload, result and detail.
#[case(SYS_031)]
async fn long_payloads(world: World) -> Verdict {
    let long = vec![b'x'; 65_537];
    let refused = "validation.payload_too_large";
    let broken = world.execution().payload(&long);
    let id = broken.args().execution_id;
    expect_refused!(broken.try_create().await, refused);
    expect_eq!(world.describe_execution(&id).await?, None, "nothing is stored");

    let (id, handle) = world.claimed().await?;
    let before = world.observe(&id).await?;
    expect_refused!(world.complete(&handle, Some(long.clone())).await, refused);
    let reason = FailureReason::with_detail("boom", long);
    expect_refused!(world.fail(&handle, reason, FailureClass::Transient).await, refused);
    expect_eq!(world.observe(&id).await?, before, "nothing changes");
    Ok(())
}

/// 64 KiB exactly come back.
#[case(SYS_031)]
async fn longest_payloads(world: World) -> Verdict {
    let payload: Vec<u8> = (0..=u8::MAX).cycle().take(65_536).collect();
    let (id, handle) = world.execution().payload(&payload).claimed().await?;
    let context = world.read_execution_context(&id).await?;
    expect!(context.input_payload == payload, "64 KiB of payload come back");
    world.complete(&handle, Some(payload.clone())).await?;
    expect!(world.get_execution_result(&id).await? == Some(payload), "64 KiB of result come back");
    Ok(())
}

/// One byte more than 64 KiB in any other text.
#[case(SYS_032)]
async fn long_texts(world: World) -> Verdict {
    let long = "x".repeat(65_537);
    let refused = "validation.invalid_input";
    expect_refused!(world.execution().namespace(&long).try_create().await, refused);
    expect_refused!(world.execution().tag("app.k", &long).try_create().await, refused);
    expect_refused!(world.execution().key(&long).try_create().await, refused);
    let (id, handle) = world.claimed().await?;
    let before = world.observe(&id).await?;
    expect_refused!(world.progress(&handle, None, Some(long.clone())).await, refused);
    expect_refused!(world.cancel(&handle, &long).await, refused);
    expect_refused!(world.set_execution_tag(&id, "app.k", &long).await, refused);
    let reason = FailureReason::new(long);
    expect_refused!(world.fail(&handle, reason, FailureClass::Transient).await, refused);
    expect_eq!(world.observe(&id).await?, before, "nothing changes");
    Ok(())
}

/// Empty namespace, kind, worker and worker instance.
#[case(SYS_033)]
async fn empty_names(world: World) -> Verdict {
    let refused = "validation.invalid_input";
    expect_refused!(world.execution().namespace("").try_create().await, refused);
    let no_kind = world.execution().with(|args| args.execution_kind.clear());
    expect_refused!(no_kind.try_create().await, refused);
    let id = world.execution().create().await?;
    let before = world.observe(&id).await?;
    expect_refused!(world.worker().named("", "instance").try_claim().await, refused);
    expect_refused!(world.worker().named("worker", "").try_claim().await, refused);
    expect_eq!(world.observe(&id).await?, before, "nothing is claimed");
    Ok(())
}
