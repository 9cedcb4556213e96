//! Fields of an execution by name.

use std::collections::BTreeMap;

use ff_core::backend::FailureClass;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{BudgetId, ExecutionId};

use crate::stage::{CORE_FIELDS, Verdict, World, case};

/// One entry a name; nothing for what is unknown or not set.
#[case(EXE_025)]
async fn entries(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let partition = world.partition_of(&id);
    let names = ["lane_id", "lane_id", "no_such_field", "completed_at", "blocking_detail"];
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
    // What backends keep for themselves.
    let kept = ["grant", "last_lease_id", "uncascaded_since", "policy", "closing", "lease"];
    let fields = world.read_exec_core_fields(partition, &id, &kept).await?;
    expect!(fields.values().all(Option::is_none), "nothing else is known: {fields:?}");
    let nothing = world.read_exec_core_fields(partition, &id, &[]).await?;
    expect!(nothing.is_empty(), "no names, no entries");

    let nobody = world.execution_id();
    let fields = world.read_exec_core_fields(partition, &nobody, &["lane_id"]).await?;
    expect_eq!(fields.get("lane_id"), Some(&None), "an execution that is not there");
    Ok(())
}

/// Aliases read as what they stand for.
#[case(EXE_026)]
async fn aliases(world: World) -> Verdict {
    let at = world.in_ms(10_000);
    let execution = world.execution().with(|args| args.execution_deadline_at = Some(at));
    let (id, handle) = execution.claimed().await?;
    world.progress(&handle, Some(42), None).await?;
    world.pass_ms(3).await?;
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
        expect_eq!(world.field(&id, alias).await?, meant, "{alias} reads as {name}");
    }
    Ok(())
}

/// Decimals, canonical ids, snake case, sorted tokens.
#[case(EXE_027)]
async fn encoding(world: World) -> Verdict {
    let id = world.execution().requires(&["zeta", "Alpha", "mid"]).create().await?;
    expect_eq!(world.field(&id, "current_attempt_index").await?, None, "before a claim");
    expect_eq!(
        world.field(&id, "required_capabilities").await?.as_deref(),
        Some("Alpha,mid,zeta"),
        "in byte order"
    );
    world.worker().offers(&["zeta", "Alpha", "mid"]).claim().await?;
    for name in ["created_at", "lease_expires_at", "current_lease_epoch", "priority"] {
        let text = world.field(&id, name).await?.unwrap_or_default();
        let plain = text.parse::<u64>().is_ok_and(|n| n.to_string() == text);
        expect!(plain, "{name} is a plain decimal, not {text:?}");
    }
    for name in ["current_lease_id", "current_attempt_id"] {
        let text = world.field(&id, name).await?.unwrap_or_default();
        let canonical = uuid::Uuid::parse_str(&text).is_ok_and(|id| id.to_string() == text);
        expect!(canonical, "{name} is a canonical id, not {text:?}");
    }
    expect_eq!(world.field(&id, "execution_id").await?, Some(id.to_string()));
    expect_eq!(world.field(&id, "attempt_state").await?.as_deref(), Some("running_attempt"));
    Ok(())
}

/// What a field is called, and its text.
type Field<'a> = (&'a str, &'a str);

/// Asserts that exactly these fields are set, beside those that a backend mints.
async fn expect_all(world: &World, id: &ExecutionId, expected: &[&[Field<'_>]]) -> Verdict {
    let minted = ["current_lease_id", "current_attempt_id"];
    let names: Vec<&str> = CORE_FIELDS.into_iter().filter(|name| !minted.contains(name)).collect();
    let partition = world.partition_of(id);
    let seen = world.read_exec_core_fields(partition, id, &names).await?;
    let seen: BTreeMap<String, String> =
        seen.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let expected = expected.concat().into_iter();
    let mut expected: BTreeMap<String, String> =
        expected.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    expected.insert("execution_id".to_owned(), id.to_string());
    expected.insert("partition_id".to_owned(), id.partition().to_string());
    let seen = world.snap_fields(seen, &expected);
    expect_eq!(seen, expected, "the fields that are set");
    for (name, beside) in minted.into_iter().zip(["lease_acquired_at", "current_attempt_index"]) {
        expect_eq!(
            world.field(id, name).await?.is_some(),
            seen.contains_key(beside),
            "{name} is set where {beside} is"
        );
    }
    Ok(())
}

/// Every field of a second attempt that is held, and before the first.
#[case(EXE_038, EXE_039, EXE_040)]
async fn held(world: World) -> Verdict {
    let flow = world.flow().await?;
    let at = |millis: i64| world.due_in_ms(millis).to_string();
    let created = at(0);
    let (first, second, renewed, due) = (at(10), at(530), at(540), at(30_540));
    let execution = world.execution_for(&flow).requires(&["b", "a"]);
    let deadline_at = world.in_ms(90_000);
    let deadline = deadline_at.to_string();
    let execution = execution.retries(3, 500).priority(7).with(|args| {
        args.payload_encoding = Some("json".to_owned());
        args.execution_deadline_at = Some(deadline_at);
    });
    let id = execution.create().await?;
    world.join(&flow, &id).await?;
    let flow = flow.to_string();
    let given = [
        ("lane_id", "default"),
        ("namespace", "tenant"),
        ("execution_kind", "op"),
        ("creator_identity", "suite"),
        ("payload_encoding", "json"),
        ("priority", "7"),
        ("required_capabilities", "a,b"),
        ("flow_id", &flow),
        ("created_at", &created),
        ("execution_deadline_at", &deadline),
        ("terminal_outcome", "none"),
        ("replay_count", "0"),
        ("lease_reclaim_count", "0"),
    ];
    let new = [
        ("lifecycle_phase", "runnable"),
        ("ownership_state", "unowned"),
        ("eligibility_state", "eligible_now"),
        ("blocking_reason", "waiting_for_worker"),
        ("attempt_state", "pending_first_attempt"),
        ("public_state", "waiting"),
        ("total_attempt_count", "0"),
        ("retry_count", "0"),
        ("current_lease_epoch", "0"),
        ("last_transition_at", &created),
        ("last_mutation_at", &created),
    ];
    expect_all(&world, &id, &[&given, &new]).await?;

    let worker = world.worker().offers(&["a", "b"]).named("w", "i");
    world.pass_ms(10).await?;
    let handle = worker.claim().await?;
    world.progress(&handle, Some(50), Some("half".to_owned())).await?;
    world.pass_ms(20).await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.pass_ms(500).await?;
    world.promote(&id).await?;
    let handle = worker.claim().await?;
    world.pass_ms(10).await?;
    world.renew(&handle).await?;
    let held = [
        ("lifecycle_phase", "active"),
        ("ownership_state", "leased"),
        ("eligibility_state", "not_applicable"),
        ("attempt_state", "running_attempt"),
        ("public_state", "active"),
        ("total_attempt_count", "2"),
        ("current_attempt_index", "1"),
        ("retry_count", "1"),
        ("current_lease_epoch", "2"),
        ("current_worker_id", "w"),
        ("current_worker_instance_id", "i"),
        ("lease_acquired_at", &second),
        ("lease_last_renewed_at", &renewed),
        ("lease_expires_at", &due),
        ("started_at", &first),
        ("last_transition_at", &second),
        ("last_mutation_at", &renewed),
        ("failure_reason", "boom"),
        ("failure_category", "transient"),
        ("progress_percent", "50"),
        ("progress_message", "half"),
    ];
    expect_all(&world, &id, &[&given, &held]).await
}

/// Every field that an end sets, and a wait before it.
#[case(EXE_038, EXE_039, EXE_040)]
async fn ended(world: World) -> Verdict {
    let at = |millis: i64| world.due_in_ms(millis).to_string();
    let (created, claimed, ended) = (at(0), at(1_510), at(1_515));
    let due_at = world.in_ms(1_500);
    let due = due_at.to_string();
    let budgets = [world.uuid(), world.uuid()].map(BudgetId::from_uuid);
    let mut budget_ids = budgets.map(|id| id.to_string());
    budget_ids.sort();
    let budget_ids = budget_ids.join(",");
    let execution = world.execution().delay_until(due_at);
    let id = execution.policy(|policy| policy.budget_ids = budgets.into()).create().await?;
    let given = [
        ("lane_id", "default"),
        ("namespace", "tenant"),
        ("execution_kind", "op"),
        ("creator_identity", "suite"),
        ("priority", "0"),
        ("budget_ids", &budget_ids),
        ("created_at", &created),
        ("replay_count", "0"),
        ("retry_count", "0"),
        ("lease_reclaim_count", "0"),
        ("ownership_state", "unowned"),
    ];
    let delayed = [
        ("lifecycle_phase", "runnable"),
        ("eligibility_state", "not_eligible_until_time"),
        ("blocking_reason", "waiting_for_delay"),
        ("terminal_outcome", "none"),
        ("attempt_state", "pending_first_attempt"),
        ("public_state", "delayed"),
        ("total_attempt_count", "0"),
        ("current_lease_epoch", "0"),
        ("delay_until", &due),
        ("last_transition_at", &created),
        ("last_mutation_at", &created),
    ];
    expect_all(&world, &id, &[&given, &delayed]).await?;

    world.pass_ms(1_510).await?;
    world.promote(&id).await?;
    let handle = world.worker().claim().await?;
    world.pass_ms(5).await?;
    world.cancel(&handle, "enough").await?;
    world.pass_ms(5).await?;
    let cancelled = [
        ("lifecycle_phase", "terminal"),
        ("eligibility_state", "not_applicable"),
        ("terminal_outcome", "cancelled"),
        ("attempt_state", "attempt_terminal"),
        ("public_state", "cancelled"),
        ("total_attempt_count", "1"),
        ("current_attempt_index", "0"),
        ("current_lease_epoch", "1"),
        ("started_at", &claimed),
        ("completed_at", &ended),
        ("last_transition_at", &ended),
        ("last_mutation_at", &ended),
        ("cancellation_reason", "enough"),
        ("cancelled_by", "worker"),
    ];
    expect_all(&world, &id, &[&given, &cancelled]).await
}
