//! Creating executions.

use std::collections::BTreeSet;

use ff_core::contracts::CreateExecutionResult;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_core::types::TimestampMs;

use crate::stage::{Verdict, World, case};

/// Without a delay it waits for a worker at once.
#[case(EXE_001)]
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

/// A delay that is due is no delay.
#[case(EXE_001)]
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

/// With a delay no claim finds it, even after the delay, until it is promoted.
#[case(EXE_002, SCH_001, needs(passive))]
async fn delayed(world: World) -> Verdict {
    let until = world.in_ms(60_000);
    let execution = world.execution().lane("later").delay_until(until);
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
    let id = world.execution().delay_until(world.in_ms(1_500)).create().await?;
    world.pass_ms(1_500).await?;
    expect_eq!(world.worker().claims().await?, None, "nobody has promoted it");
    world.promote(&id).await?;
    expect_eq!(world.worker().claims().await?, Some(id), "promoted, it can be claimed");
    Ok(())
}

/// Priorities beyond the range are its ends.
#[case(EXE_006)]
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

/// The second creation differs in everything but the id.
#[case(EXE_007)]
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

/// An id stays taken when the execution has ended.
#[case(EXE_007)]
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

/// Of many creations of one id at once, one is new.
#[case(EXE_010, needs(concurrency))]
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

/// Counters, times and summaries of a new execution.
#[case(EXE_011)]
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
    let times = ["created_at", "last_mutation_at"].map(|field| (field, now.to_string()));
    world.expect_fields(&id, times).await?;
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
                && world.snap(s.created_at, now) == now
                && world.snap(s.last_mutation_at, now) == now
        }),
        "the description says the same"
    );
    expect_eq!(world.get_execution_result(&id).await?, None, "there is no result");
    Ok(())
}

/// The policy's priority and delay are for readers only.
#[case(EXE_012)]
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

/// The deadline is the argument's, or counted from the creation.
#[case(EXE_013)]
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
    let expected = world.due_in_ms(500).to_string();
    world.expect_fields(&counted, [(field, expected)]).await?;
    let neither = world.execution().create().await?;
    expect_eq!(world.field(&neither, field).await?, None, "none");
    Ok(())
}

/// A deadline that has passed does not prevent a creation.
#[case(EXE_013)]
async fn elapsed_deadline(world: World) -> Verdict {
    let past = world.in_ms(-5_000);
    let id =
        world.execution().with(|args| args.execution_deadline_at = Some(past)).created().await?;
    let seen = world.field(&id, "execution_deadline_at").await?;
    expect_eq!(seen, Some(past.to_string()), "the deadline is kept");
    Ok(())
}

/// A lane is known from its first execution on.
#[case(EXE_014)]
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

/// All byte values, the longest payload, none at all, and what looks like something else.
#[case(EXE_015)]
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

/// Lane names that are empty, long or not printable ASCII.
#[case(EXE_003)]
async fn bad_lane(world: World) -> Verdict {
    for lane in ["", "tab\there", "new\nline", "ünïcode", "del\u{7f}", &"x".repeat(65)] {
        let broken = world.execution().lane(lane);
        let id = broken.args().execution_id;
        expect_refused!(broken.try_create().await, "validation.invalid_input", "lane {lane:?}");
        expect_eq!(world.describe_execution(&id).await?, None, "lane {lane:?} stores nothing");
    }
    Ok(())
}

/// 64 bytes, from space to tilde, are a lane name.
#[case(EXE_003)]
async fn longest_lane(world: World) -> Verdict {
    let lane = format!(" ~,{}", "x".repeat(61));
    let id = world.execution().lane(&lane).created().await?;
    expect_eq!(world.worker().lane(&lane).claims().await?, Some(id), "its work can be claimed");
    Ok(())
}

/// A partition that is not the id's, or does not exist.
#[case(EXE_003)]
async fn wrong_partition(world: World) -> Verdict {
    let refused = "validation.invalid_input";
    let other = world.execution().with(|args| args.partition_id += 1);
    expect_refused!(other.try_create().await, refused, "not the id's");
    let beyond = world.execution_id_in(world.partitions().num_flow_partitions);
    expect_refused!(world.execution().id(&beyond).try_create().await, refused, "beyond the last");
    let last = world.execution_id_in(world.partitions().num_flow_partitions - 1);
    world.execution().id(&last).create().await?;
    Ok(())
}

/// Delays and deadlines at the epoch or before.
#[case(EXE_003)]
async fn impossible_times(world: World) -> Verdict {
    for at in [0, -1] {
        let at = Some(TimestampMs(at));
        let refused = "validation.invalid_input";
        let delay = world.execution().with(|args| args.delay_until = at);
        expect_refused!(delay.try_create().await, refused, "a delay until {at:?}");
        let deadline = world.execution().with(|args| args.execution_deadline_at = at);
        expect_refused!(deadline.try_create().await, refused, "a deadline at {at:?}");
    }
    Ok(())
}

/// Requirements that are empty, have a comma, white space or control characters.
#[case(EXE_004)]
async fn bad_capabilities(world: World) -> Verdict {
    for token in ["", "a,b", "a b", "a\tb", "a\u{1}b", "\u{a0}"] {
        let broken = world.execution().requires(&["good", token]);
        let id = broken.args().execution_id;
        let answer = broken.try_create().await;
        expect_refused!(answer, "validation.invalid_capabilities", "token {token:?}");
        expect_eq!(world.describe_execution(&id).await?, None, "token {token:?} stores nothing");
    }
    Ok(())
}

/// 257 tokens, or 4 097 bytes, are too many; 256 and 4 096 are not.
#[case(EXE_004)]
async fn too_many_capabilities(world: World) -> Verdict {
    let refused = "validation.invalid_capabilities";
    let many: Vec<String> = (0..257).map(|n| format!("t{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    expect_refused!(world.execution().requires(&many).try_create().await, refused, "257 tokens");
    world.execution().requires(&many[..256]).create().await?;
    let (half, rest) = ("a".repeat(2_000), "b".repeat(2_095));
    world.execution().requires(&[&half, &rest]).create().await?;
    let rest = rest + "b";
    let answer = world.execution().requires(&[&half, &rest]).try_create().await;
    expect_refused!(answer, refused, "4 097 bytes");
    Ok(())
}

/// One malformed key among good ones.
#[case(EXE_005)]
async fn bad_tags(world: World) -> Verdict {
    for key in ["", "nodot", "Upper.case", "app.", ".app", "app.with space"] {
        let broken = world.execution().tag("app.good", "v").tag(key, "v");
        let id = broken.args().execution_id;
        expect_refused!(broken.try_create().await, "validation.invalid_input", "key {key:?}");
        expect_eq!(world.describe_execution(&id).await?, None, "key {key:?} stores nothing");
    }
    Ok(())
}
