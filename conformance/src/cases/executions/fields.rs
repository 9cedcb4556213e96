//! Fields of an execution by name.

use std::collections::BTreeMap;

use ff_core::engine_backend::EngineBackend;

use crate::case::{Case, Verdict, case};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    case!(
        "executions.reads.fields-entries",
        ["EXE-025"],
        "One entry a name; nothing for what is unknown or not set.",
        field_entries
    ),
    case!(
        "executions.reads.fields-aliases",
        ["EXE-026"],
        "Aliases read as what they stand for.",
        field_aliases,
        Clock
    ),
    case!(
        "executions.reads.fields-encoding",
        ["EXE-027"],
        "Decimals, canonical ids, snake case, sorted tokens.",
        field_encoding
    ),
];

async fn field_entries(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let partition = world.partition_of(&id);
    let names = [
        "lane_id",
        "lane_id",
        "no_such_field",
        "completed_at",
        "blocking_detail",
    ];
    let fields = world.read_exec_core_fields(partition, &id, &names).await?;
    let fields: BTreeMap<_, _> = fields.into_iter().collect();
    let none = |name: &str| (name.to_owned(), None);
    let expected = BTreeMap::from([
        ("lane_id".to_owned(), Some("default".to_owned())),
        none("no_such_field"),
        none("completed_at"),
        none("blocking_detail"),
    ]);
    expect_eq!(fields, expected, "entries");
    let nothing = world.read_exec_core_fields(partition, &id, &[]).await?;
    expect!(nothing.is_empty(), "no names, no entries");

    let nobody = world.execution_id();
    let fields = world
        .read_exec_core_fields(partition, &nobody, &["lane_id"])
        .await?;
    expect_eq!(
        fields.get("lane_id"),
        Some(&None),
        "an execution that is not there"
    );
    Ok(())
}

async fn field_aliases(world: World) -> Verdict {
    let at = world.in_ms(10_000);
    let execution = world
        .execution()
        .with(|args| args.execution_deadline_at = Some(at));
    let (id, handle) = execution.claimed().await?;
    world.progress(&handle, Some(42), None).await?;
    world.advance_ms(3);
    world.cancel(&handle, "enough").await?;
    for (alias, name) in [
        ("attempt_index", "current_attempt_index"),
        ("created_at_ms", "created_at"),
        ("terminal_at_ms", "completed_at"),
        ("completed_at_ms", "completed_at"),
        ("deadline_at_ms", "execution_deadline_at"),
        ("cancel_reason", "cancellation_reason"),
        ("progress_pct", "progress_percent"),
    ] {
        let meant = world.field(&id, name).await?;
        expect!(meant.is_some(), "{name} is set");
        expect_eq!(
            world.field(&id, alias).await?,
            meant,
            "{alias} reads as {name}"
        );
    }
    Ok(())
}

async fn field_encoding(world: World) -> Verdict {
    let id = world
        .execution()
        .requires(&["zeta", "Alpha", "mid"])
        .create()
        .await?;
    expect_eq!(
        world.field(&id, "current_attempt_index").await?,
        None,
        "before a claim"
    );
    expect_eq!(
        world.field(&id, "required_capabilities").await?.as_deref(),
        Some("Alpha,mid,zeta"),
        "in byte order"
    );
    world
        .worker()
        .offers(&["zeta", "Alpha", "mid"])
        .claim()
        .await?;
    for name in [
        "created_at",
        "lease_expires_at",
        "current_lease_epoch",
        "priority",
    ] {
        let text = world.field(&id, name).await?.unwrap_or_default();
        let plain = text.parse::<u64>().is_ok_and(|n| n.to_string() == text);
        expect!(plain, "{name} is a plain decimal, not {text:?}");
    }
    for name in ["current_lease_id", "current_attempt_id"] {
        let text = world.field(&id, name).await?.unwrap_or_default();
        let canonical = uuid::Uuid::parse_str(&text).is_ok_and(|id| id.to_string() == text);
        expect!(canonical, "{name} is a canonical id, not {text:?}");
    }
    expect_eq!(
        world.field(&id, "execution_id").await?,
        Some(id.to_string())
    );
    expect_eq!(
        world.field(&id, "attempt_state").await?.as_deref(),
        Some("running_attempt")
    );
    Ok(())
}
