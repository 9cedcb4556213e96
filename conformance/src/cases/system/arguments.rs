//! What is wrong with arguments whatever the state.

use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{LaneId, TimestampMs};

use crate::play::Spoiling;
use crate::stage::{CALLERS_NOW, Verdict, World, case, declare};

declare!(|topic| {
    let case = |name, title, clauses, spoiling| topic.case(name, title, clauses, &[], spoiling);
    vec![
        case("nul", "U+0000 in every text of every call.", &["SYS-018"], Spoiling::Nul),
        case("long-texts", "64 KiB and a byte in every text.", &["SYS-032"], Spoiling::LongText),
        case("long-payloads", "64 KiB and a byte in all bytes.", &["SYS-031"], Spoiling::LongBytes),
        case(
            "large-integers",
            "2^53 and its negative in every integer of every call.",
            &["SYS-029"],
            Spoiling::LargeInteger,
        ),
        case(
            "empty-names",
            "Every name that must not be empty.",
            &["SYS-033", "EXE-003", "FLW-008", "CAN-001"],
            Spoiling::EmptyName,
        ),
        topic.beside("ids").case(
            "unknown",
            "An id of nothing in every place for one.",
            &[
                "SYS-016", "EXE-016", "EXE-022", "EXE-025", "EXE-030", "FLW-011", "FLW-021",
                "FLW-029", "FLW-030", "FLW-031", "GRA-005", "GRA-010", "GRA-017", "GRA-020",
                "DEP-001", "DEP-010", "DEP-020", "DEP-029", "DEP-030", "CAN-002", "CAN-020",
            ],
            &[],
            Spoiling::UnknownId,
        ),
        topic.beside("ids").case(
            "unknown-to-few",
            "An id of nothing where the answer to it was decided.",
            &["SYS-036", "ATT-030", "DEP-032", "STR-019"],
            &[],
            Spoiling::IdUnknownToFew,
        ),
    ]
});

/// Everything else in Unicode comes back as it was.
#[case(SYS_047)]
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
    let now = CALLERS_NOW;
    expect_refused!(world.mark_lease_expired_if_due(partition, id).await, refused);
    expect_refused!(world.read_exec_core_fields(partition, id, &["lane_id"]).await, refused);
    let promoted = world.promote_delayed(partition, &world.lane(), id, now).await;
    expect_refused!(promoted, refused);
    Ok(())
}

/// A wrong lane does not keep a scanner hook from its work.
#[case(SYS_021)]
async fn lane_hint(world: World) -> Verdict {
    let id = world.execution().delay_until(world.in_ms(10)).create().await?;
    world.pass_ms(10).await?;
    let wrong = LaneId::new("elsewhere");
    let now = CALLERS_NOW;
    world.promote_delayed(world.partition_of(&id), &wrong, &id, now).await?;
    expect_eq!(world.worker().lane("elsewhere").claims().await?, None, "it does not move");
    expect_eq!(world.worker().claims().await?, Some(id), "it is claimable where it was created");
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

/// 64 KiB exactly come back.
#[case(SYS_031)]
async fn longest_payloads(world: World) -> Verdict {
    let payload: Vec<u8> = (0..=u8::MAX).cycle().take(65_536).collect();
    let id = world.execution().payload(&payload).created().await?;
    let handle = world.worker().claim().await?;
    let context = world.read_execution_context(&id).await?;
    expect!(context.input_payload == payload, "64 KiB of payload come back");
    world.complete(&handle, Some(payload.clone())).await?;
    expect!(world.get_execution_result(&id).await? == Some(payload), "64 KiB of result come back");
    Ok(())
}
