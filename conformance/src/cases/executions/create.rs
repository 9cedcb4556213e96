//! Creating executions.

use std::collections::BTreeSet;

use ff_core::contracts::CreateExecutionResult;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_core::types::TimestampMs;

use crate::case::{Case, Verdict, case};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    case!(
        "executions.create.waiting",
        ["EXE-001"],
        "Without a delay it waits for a worker at once.",
        waiting
    ),
    case!(
        "executions.create.elapsed-delay",
        ["EXE-001"],
        "A delay that is due is no delay.",
        elapsed_delay,
        Clock
    ),
    case!(
        "executions.create.delayed",
        ["EXE-002", "SCH-001"],
        "With a delay no claim finds it, even after the delay, until it is promoted.",
        delayed,
        Clock
    ),
    case!(
        "executions.create.clamped-priority",
        ["EXE-006"],
        "Priorities beyond the range are its ends.",
        clamped_priority
    ),
    case!(
        "executions.create.duplicate",
        ["EXE-007"],
        "The second creation differs in everything but the id.",
        duplicate
    ),
    case!(
        "executions.create.duplicate-of-ended",
        ["EXE-007"],
        "An id stays taken when the execution has ended.",
        duplicate_of_ended
    ),
    case!(
        "executions.create.race",
        ["EXE-010"],
        "Of many creations of one id at once, one is new.",
        race,
        Concurrency
    ),
    case!(
        "executions.create.initial",
        ["EXE-011"],
        "Counters, times and summaries of a new execution.",
        initial,
        Clock
    ),
    case!(
        "executions.create.arguments-decide",
        ["EXE-012"],
        "The policy's priority and delay are for readers only.",
        arguments_decide,
        Clock
    ),
    case!(
        "executions.create.deadline",
        ["EXE-013"],
        "The deadline is the argument's, or counted from the creation.",
        deadline,
        Clock
    ),
    case!(
        "executions.create.elapsed-deadline",
        ["EXE-013"],
        "A deadline that has passed does not prevent a creation.",
        elapsed_deadline,
        Clock
    ),
    case!(
        "executions.create.lanes",
        ["EXE-014"],
        "A lane is known from its first execution on.",
        lanes
    ),
    case!(
        "executions.create.payload",
        ["EXE-015"],
        "All byte values, the longest payload, none at all, and what looks like something else.",
        payload
    ),
];

async fn waiting(world: World) -> Verdict {
    let execution = world.execution();
    let id = execution.args().execution_id;
    let created = CreateExecutionResult::Created {
        execution_id: id.clone(),
        public_state: PublicState::Waiting,
    };
    expect_eq!(execution.try_create().await?, created, "it is created");
    world
        .expect_fields(
            &id,
            [
                ("lifecycle_phase", "runnable"),
                ("ownership_state", "unowned"),
                ("eligibility_state", "eligible_now"),
                ("blocking_reason", "waiting_for_worker"),
                ("attempt_state", "pending_first_attempt"),
            ],
        )
        .await?;
    expect_eq!(world.worker().claims().await?, Some(id), "it can be claimed at once");
    Ok(())
}

async fn elapsed_delay(world: World) -> Verdict {
    for until in [world.now(), world.in_ms(-1), TimestampMs(1)] {
        let created = world.execution().delay_until(until).try_create().await?;
        let CreateExecutionResult::Created { execution_id, public_state } = created else {
            return Err(crate::Failure::new("it is created"));
        };
        expect_eq!(public_state, PublicState::Waiting, "due at {until}");
        expect_eq!(world.field(&execution_id, "delay_until").await?, None, "no delay is kept");
        expect_eq!(world.worker().claims().await?, Some(execution_id), "it can be claimed");
    }
    Ok(())
}

async fn delayed(world: World) -> Verdict {
    let until = world.in_ms(60_000);
    let execution = world.execution().delay_until(until);
    let id = execution.args().execution_id;
    let created = CreateExecutionResult::Created {
        execution_id: id.clone(),
        public_state: PublicState::Delayed,
    };
    expect_eq!(execution.try_create().await?, created, "it is created");
    world
        .expect_fields(
            &id,
            [
                ("eligibility_state", "not_eligible_until_time"),
                ("blocking_reason", "waiting_for_delay"),
                ("attempt_state", "pending_first_attempt"),
                ("delay_until", &until.to_string()),
            ],
        )
        .await?;
    world.advance_ms(60_000);
    expect_eq!(world.worker().claims().await?, None, "nobody has promoted it");
    world.promote(&id).await?;
    expect_eq!(world.worker().claims().await?, Some(id), "promoted, it can be claimed");
    Ok(())
}

async fn clamped_priority(world: World) -> Verdict {
    for (given, kept) in
        [(-1, 0), (i32::MIN, 0), (0, 0), (9_000, 9_000), (9_001, 9_000), (i32::MAX, 9_000)]
    {
        let id = world.execution().priority(given).create().await?;
        let info = world.read_execution_info(&id).await?;
        expect_eq!(info.map(|info| info.priority), Some(kept), "priority {given}");
    }
    Ok(())
}

async fn duplicate(world: World) -> Verdict {
    let id = world.execution().payload(b"one").priority(7).create().await?;
    let before = world.observe(&id).await?;
    let again = world
        .execution()
        .id(&id)
        .payload(b"two")
        .priority(8)
        .lane("other")
        .namespace("other")
        .tag("app.k", "v")
        .requires(&["gpu"])
        .try_create()
        .await;
    let duplicate = CreateExecutionResult::Duplicate { execution_id: id.clone() };
    expect_eq!(again, Ok(duplicate), "it is known");
    expect_eq!(world.observe(&id).await?, before, "a duplicate changes nothing");
    expect_eq!(
        world.list_lanes(None, 10).await?.lanes,
        vec![world.lane()],
        "nor does it make its lane known"
    );
    Ok(())
}

async fn duplicate_of_ended(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, Some(b"done".to_vec())).await?;
    let before = world.observe(&id).await?;
    let again = world.execution().id(&id).try_create().await;
    let duplicate = CreateExecutionResult::Duplicate { execution_id: id.clone() };
    expect_eq!(again, Ok(duplicate), "it is known");
    expect_eq!(world.observe(&id).await?, before, "a duplicate changes nothing");
    Ok(())
}

async fn race(world: World) -> Verdict {
    let id = world.execution_id();
    let payloads: Vec<[u8; 1]> = (0..16).map(|n| [n]).collect();
    let creations = payloads.iter().map(|payload| {
        let execution = world.execution().id(&id).payload(payload).tag("app.by", "someone");
        tokio::spawn(execution.try_create())
    });
    let mut winners = BTreeSet::new();
    for (n, creation) in futures_util::future::join_all(creations).await.into_iter().enumerate() {
        let result = creation.map_err(|error| crate::Failure::new(error.to_string()))??;
        if matches!(result, CreateExecutionResult::Created { .. }) {
            winners.insert(n);
        }
    }
    expect_eq!(winners.len(), 1, "creations that are new");
    let context = world.read_execution_context(&id).await?;
    let kept = winners.contains(&usize::from(context.input_payload[0]));
    expect!(kept, "the payload is the winner's, not {:?}", context.input_payload);
    Ok(())
}

async fn initial(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let now = world.now();
    for field in [
        "total_attempt_count",
        "retry_count",
        "replay_count",
        "lease_reclaim_count",
        "current_lease_epoch",
    ] {
        expect_eq!(world.field(&id, field).await?.as_deref(), Some("0"), "{field}");
    }
    for field in ["created_at", "last_mutation_at"] {
        expect_eq!(world.field(&id, field).await?, Some(now.to_string()), "{field}");
    }
    for field in ["started_at", "completed_at", "current_lease_id", "current_attempt_id"] {
        expect_eq!(world.field(&id, field).await?, None, "{field}");
    }
    let snapshot = world.describe_execution(&id).await?;
    expect!(
        snapshot.is_some_and(|s| {
            s.current_attempt.is_none()
                && s.current_lease.is_none()
                && s.current_waitpoint.is_none()
                && s.total_attempt_count == 0
                && s.created_at == now
                && s.last_mutation_at == now
        }),
        "the description says the same"
    );
    expect_eq!(world.get_execution_result(&id).await?, None, "there is no result");
    Ok(())
}

async fn arguments_decide(world: World) -> Verdict {
    let id = world
        .execution()
        .priority(5)
        .policy(|policy| {
            policy.priority = 7_000;
            policy.delay_until = Some(TimestampMs(i64::from(u32::MAX) * 1_000_000));
        })
        .create()
        .await?;
    let info = world.read_execution_info(&id).await?;
    expect_eq!(info.map(|info| info.priority), Some(5), "the argument's priority");
    expect_eq!(world.worker().claims().await?, Some(id), "no delay");
    Ok(())
}

async fn deadline(world: World) -> Verdict {
    let at = world.in_ms(10_000);
    let counted = |policy: &mut ff_core::policy::ExecutionPolicy| {
        policy.timeout_policy.get_or_insert_default().execution_deadline_ms = Some(500);
    };
    let field = "execution_deadline_at";
    let both = world
        .execution()
        .policy(counted)
        .with(|args| args.execution_deadline_at = Some(at))
        .create()
        .await?;
    expect_eq!(world.field(&both, field).await?, Some(at.to_string()), "the argument's");
    let counted = world.execution().policy(counted).create().await?;
    let expected = world.in_ms(500).to_string();
    expect_eq!(world.field(&counted, field).await?, Some(expected), "counted from creation");
    let neither = world.execution().create().await?;
    expect_eq!(world.field(&neither, field).await?, None, "none");
    Ok(())
}

async fn elapsed_deadline(world: World) -> Verdict {
    let past = world.in_ms(-5_000);
    let id =
        world.execution().with(|args| args.execution_deadline_at = Some(past)).create().await?;
    let seen = world.field(&id, "execution_deadline_at").await?;
    expect_eq!(seen, Some(past.to_string()), "the deadline is kept");
    Ok(())
}

async fn lanes(world: World) -> Verdict {
    expect_eq!(world.list_lanes(None, 10).await?.lanes, vec![], "no lanes yet");
    let (_, handle) = world.execution().lane("b").claimed().await?;
    world.execution().lane("a").create().await?;
    world.execution().lane("B").create().await?;
    world.complete(&handle, None).await?;
    let names: Vec<_> = world.list_lanes(None, 10).await?.lanes;
    expect_eq!(names, vec!["B".into(), "a".into(), "b".into()], "lanes stay known");
    Ok(())
}

async fn payload(world: World) -> Verdict {
    let every: Vec<u8> = (0..=u8::MAX).collect();
    let longest = every.repeat(256);
    let kinds = [
        every.as_slice(),
        longest.as_slice(),
        b"",
        b"\xff\xfe\x00",
        b"text",
        b"007",
        b"1e3",
        b"nil",
        b"null",
        b"true",
    ];
    for payload in kinds {
        let id = world.execution().payload(payload).create().await?;
        let context = world.read_execution_context(&id).await?;
        expect_eq!(context.input_payload.as_slice(), payload, "the payload");
    }
    Ok(())
}
