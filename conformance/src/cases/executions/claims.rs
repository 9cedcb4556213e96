//! Claiming fresh work.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ff_core::backend::{FailureClass, HandleKind};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::ExecutionId;
use futures_util::future::join_all;

use crate::case::{Case, Verdict, case};
use crate::failure::Failure;
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    case!(
        "executions.claims.nothing",
        ["CLM-001"],
        "That there is no work is no error.",
        nothing
    ),
    case!(
        "executions.claims.bad-lane",
        ["CLM-001"],
        "A lane that cannot exist is.",
        bad_lane
    ),
    case!(
        "executions.claims.lanes",
        ["CLM-001"],
        "Work of one lane is not another's.",
        lanes
    ),
    case!(
        "executions.claims.only-waiting",
        ["SCH-001"],
        "What is held, lapsed, delayed or ended is not claimed.",
        only_waiting,
        Clock
    ),
    case!(
        "executions.claims.priority",
        ["SCH-002"],
        "Higher priority first.",
        priority,
        Clock
    ),
    case!(
        "executions.claims.age",
        ["SCH-002"],
        "Then the older.",
        age,
        Clock
    ),
    case!(
        "executions.claims.id",
        ["SCH-002"],
        "Then the smaller id.",
        by_id,
        Clock
    ),
    case!(
        "executions.claims.promoted-place",
        ["SCH-002", "SCH-015"],
        "Promoted work takes the place of its age.",
        promoted_place,
        Clock
    ),
    case!(
        "executions.claims.across-requirements",
        ["SCH-002", "CLM-002"],
        "The order holds across different requirements.",
        across_requirements,
        Clock
    ),
    case!(
        "executions.claims.subset",
        ["SCH-003"],
        "All required tokens, exactly; more does no harm.",
        subset
    ),
    case!(
        "executions.claims.bad-capabilities",
        ["SCH-004"],
        "Offers obey the limits of requirements.",
        bad_capabilities
    ),
    case!(
        "executions.claims.deep-backlog",
        ["CLM-002"],
        "A match behind 300 others that the worker cannot run.",
        deep_backlog
    ),
    case!(
        "executions.claims.every-partition",
        ["CLM-002"],
        "Work in any partition.",
        every_partition
    ),
    case!(
        "executions.claims.passed-over",
        ["CLM-002"],
        "What was passed over is as it was.",
        passed_over
    ),
    case!(
        "executions.claims.waits-for-work",
        ["CLM-004"],
        "A waiting claim gets work that comes.",
        waits_for_work,
        Concurrency
    ),
    case!(
        "executions.claims.waits-in-vain",
        ["CLM-004"],
        "A waiting claim gives up when its time has passed.",
        waits_in_vain
    ),
    case!(
        "executions.claims.dropped",
        ["CLM-004"],
        "A claim that is dropped while it waits has taken nothing.",
        dropped,
        Concurrency
    ),
    case!(
        "executions.claims.effect",
        ["CLM-005"],
        "Attempt, lease, epoch and times after a claim.",
        effect,
        Clock
    ),
    case!(
        "executions.claims.handle",
        ["CLM-006"],
        "The handle is fresh and stands for what is shown.",
        handle
    ),
    case!(
        "executions.claims.race",
        ["CLM-008"],
        "12 workers on 8 executions.",
        race,
        Concurrency
    ),
    case!(
        "executions.claims.epochs",
        ["LSE-001"],
        "Epochs count on and lease ids differ across retries.",
        epochs,
        Clock
    ),
    case!(
        "executions.claims.promote-no-ops",
        ["SCH-016"],
        "Promoting what is not delayed does nothing.",
        promote_no_ops,
        Clock
    ),
    case!(
        "executions.claims.promote",
        ["SCH-015"],
        "Promoted, a retry is still a retry, and no delay is left.",
        promote,
        Clock
    ),
    case!(
        "executions.claims.deadline-stays",
        ["SCH-017"],
        "Retry and promotion leave the deadline alone.",
        deadline_stays,
        Clock
    ),
];

async fn nothing(world: World) -> Verdict {
    expect_eq!(
        world.worker().try_claim().await,
        Ok(None),
        "an empty deployment"
    );
    world.claimed().await?;
    expect_eq!(
        world.worker().try_claim().await,
        Ok(None),
        "everything is held"
    );
    Ok(())
}

async fn bad_lane(world: World) -> Verdict {
    for lane in ["", "a\nb", &"x".repeat(65)] {
        let answer = world.worker().lane(lane).try_claim().await;
        expect_refused!(answer, "validation.invalid_input", "lane {lane:?}");
    }
    Ok(())
}

async fn lanes(world: World) -> Verdict {
    let id = world.execution().lane("a").create().await?;
    for other in ["b", "A", "a ", "aa"] {
        expect_eq!(
            world.worker().lane(other).claims().await?,
            None,
            "lane {other:?}"
        );
    }
    expect_eq!(world.worker().lane("a").claims().await?, Some(id));
    Ok(())
}

async fn only_waiting(world: World) -> Verdict {
    let (_, ended) = world.claimed().await?;
    world.complete(&ended, None).await?;
    let (_, retrying) = world.execution().retries(1, 1_000).claimed().await?;
    world.fail_with(&retrying, FailureClass::Transient).await?;
    world
        .execution()
        .delay_until(world.in_ms(1_000))
        .create()
        .await?;
    let lapsed = world.execution().create().await?;
    world.worker().ttl(10).claim().await?;
    world.advance_ms(10);
    world.mark_lapsed(&lapsed).await?;
    world.claimed().await?;
    expect_eq!(world.worker().claims().await?, None, "nothing waits");
    Ok(())
}

/// Claims everything, in the order it comes.
async fn drain(world: &World) -> Result<Vec<ExecutionId>, Failure> {
    let worker = world.worker().offers(&["cpu", "gpu"]);
    let mut order = Vec::new();
    while let Some(id) = worker.claims().await? {
        order.push(id);
    }
    Ok(order)
}

async fn priority(world: World) -> Verdict {
    let mut expected = Vec::new();
    for priority in [0, 5, 9_000, 5_000, 1] {
        world.advance_ms(1);
        expected.push((
            priority,
            world.execution().priority(priority).create().await?,
        ));
    }
    expected.sort_by_key(|(priority, _)| -priority);
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    expect_eq!(drain(&world).await?, expected, "by priority");
    Ok(())
}

async fn age(world: World) -> Verdict {
    let mut expected = Vec::new();
    for _ in 0..6 {
        expected.push(world.execution().create().await?);
        world.advance_ms(1);
    }
    expect_eq!(drain(&world).await?, expected, "by age");
    Ok(())
}

async fn by_id(world: World) -> Verdict {
    let mut ids = BTreeSet::new();
    for _ in 0..6 {
        ids.insert(world.execution().create().await?);
    }
    expect_eq!(
        drain(&world).await?,
        ids.into_iter().collect::<Vec<_>>(),
        "by id"
    );
    Ok(())
}

async fn promoted_place(world: World) -> Verdict {
    let oldest = world
        .execution()
        .delay_until(world.in_ms(50))
        .create()
        .await?;
    world.advance_ms(1);
    let younger = world.execution().create().await?;
    world.advance_ms(1);
    let urgent = world
        .execution()
        .priority(1)
        .delay_until(world.in_ms(50))
        .create()
        .await?;
    world.advance_ms(100);
    world.promote(&urgent).await?;
    world.promote(&oldest).await?;
    expect_eq!(
        drain(&world).await?,
        vec![urgent, oldest, younger],
        "each at its place"
    );
    Ok(())
}

async fn across_requirements(world: World) -> Verdict {
    let mut expected = Vec::new();
    for tokens in [&["gpu"][..], &[], &["cpu", "gpu"], &["cpu"], &[], &["gpu"]] {
        expected.push(world.execution().requires(tokens).create().await?);
        world.advance_ms(1);
    }
    expect_eq!(
        drain(&world).await?,
        expected,
        "by age, whatever they require"
    );
    Ok(())
}

async fn subset(world: World) -> Verdict {
    let id = world
        .execution()
        .requires(&["gpu", "eu-west"])
        .create()
        .await?;
    for offers in [
        &[][..],
        &["gpu"],
        &["gpu", "EU-WEST"],
        &["gpu", "eu-wes"],
        &["gpu,eu"],
    ] {
        let worker = world.worker().offers(offers);
        match worker.try_claim().await {
            Ok(claimed) => expect!(claimed.is_none(), "{offers:?} do not do"),
            Err(error) => expect_eq!(error.code(), "validation.invalid_capabilities"),
        }
    }
    let worker = world.worker().offers(&["ssd", "eu-west", "gpu", "gpu"]);
    expect_eq!(worker.claims().await?, Some(id), "these and more do");
    Ok(())
}

async fn bad_capabilities(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let before = world.observe(&id).await?;
    let refused = "validation.invalid_capabilities";
    for token in ["", "a,b", "a b", "a\u{1}"] {
        let answer = world.worker().offers(&["good", token]).try_claim().await;
        expect_refused!(answer, refused, "token {token:?}");
    }
    let many: Vec<String> = (0..257).map(|n| format!("t{n}")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    expect_refused!(
        world.worker().offers(&many).try_claim().await,
        refused,
        "257 tokens"
    );
    expect_eq!(world.observe(&id).await?, before, "nothing is claimed");
    many[256] = many[0];
    expect_eq!(
        world.worker().offers(&many).claims().await?,
        Some(id),
        "256, one of them twice"
    );
    Ok(())
}

async fn deep_backlog(world: World) -> Verdict {
    for n in 0..300 {
        let token = format!("special-{}", n % 7);
        world
            .execution()
            .priority(100)
            .requires(&[&token])
            .create()
            .await?;
    }
    let id = world.execution().requires(&["gpu"]).create().await?;
    let worker = world.worker().offers(&["gpu"]);
    expect_eq!(worker.claims().await?, Some(id), "the one that fits");
    expect_eq!(worker.claims().await?, None, "and no other");
    Ok(())
}

async fn every_partition(world: World) -> Verdict {
    let last = world.partitions().num_flow_partitions - 1;
    for partition in BTreeSet::from([0, last / 2, last]) {
        let id = world.execution_id_in(partition);
        world.execution().id(&id).create().await?;
        expect_eq!(
            world.worker().claims().await?,
            Some(id),
            "partition {partition}"
        );
    }
    Ok(())
}

async fn passed_over(world: World) -> Verdict {
    let special = world
        .execution()
        .priority(9_000)
        .requires(&["gpu"])
        .create()
        .await?;
    let plain = world.execution().create().await?;
    let before = world.observe(&special).await?;
    expect_eq!(
        world.worker().claims().await?,
        Some(plain),
        "the one that fits"
    );
    expect_eq!(world.worker().claims().await?, None, "and no other");
    expect_eq!(
        world.observe(&special).await?,
        before,
        "passed over, not touched"
    );
    Ok(())
}

async fn waits_for_work(world: World) -> Verdict {
    let waiting = world.worker().waiting(Duration::from_secs(20));
    let claim = tokio::spawn(async move { waiting.try_claim().await });
    tokio::task::yield_now().await;
    world.execution().create().await?;
    let claimed = claim
        .await
        .map_err(|error| Failure::new(error.to_string()))??;
    expect!(claimed.is_some(), "the waiting claim has the work");
    Ok(())
}

async fn waits_in_vain(world: World) -> Verdict {
    let limit = Duration::from_millis(40);
    let started = Instant::now();
    expect_eq!(
        world.worker().waiting(limit).try_claim().await,
        Ok(None),
        "no work comes"
    );
    expect!(
        started.elapsed() >= limit,
        "it waited {:?}, not {limit:?}",
        started.elapsed()
    );
    Ok(())
}

async fn dropped(world: World) -> Verdict {
    let waiting = world.worker().waiting(Duration::from_secs(20));
    let cut = tokio::time::timeout(Duration::from_millis(20), waiting.try_claim()).await;
    expect!(cut.is_err(), "it was still waiting");
    let id = world.execution().create().await?;
    expect_eq!(world.worker().claims().await?, Some(id), "the work is free");
    Ok(())
}

async fn effect(world: World) -> Verdict {
    let id = world.execution().retries(5, 10).create().await?;
    world.advance_ms(3);
    let started = world.now();
    for round in 0..3_u32 {
        let handle = world.worker().ttl(1_000).named("w", "w-1").claim().await?;
        let now = world.now().0;
        world
            .expect_fields(
                &id,
                [
                    ("lifecycle_phase", "active".to_owned()),
                    ("ownership_state", "leased".to_owned()),
                    ("eligibility_state", "not_applicable".to_owned()),
                    ("attempt_state", "running_attempt".to_owned()),
                    ("total_attempt_count", (round + 1).to_string()),
                    ("current_attempt_index", round.to_string()),
                    ("current_lease_epoch", (round + 1).to_string()),
                    ("current_worker_id", "w".to_owned()),
                    ("current_worker_instance_id", "w-1".to_owned()),
                    ("lease_acquired_at", now.to_string()),
                    ("lease_expires_at", (now + 1_000).to_string()),
                    ("started_at", started.to_string()),
                ],
            )
            .await?;
        expect_eq!(
            world.field(&id, "blocking_reason").await?,
            None,
            "nothing blocks it"
        );
        world.fail_with(&handle, FailureClass::Transient).await?;
        world.advance_ms(10);
        world.promote(&id).await?;
    }
    Ok(())
}

async fn handle(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    expect_eq!(handle.kind, HandleKind::Fresh);
    let seen = world.describe_execution(&id).await?;
    let seen = seen.ok_or_else(|| Failure::new("the execution is there"))?;
    let lease = seen.current_lease.map(|lease| lease.lease_id.to_string());
    let attempt = seen
        .current_attempt
        .map(|attempt| attempt.attempt_id.to_string());
    expect_eq!(
        world.field(&id, "current_lease_id").await?,
        lease,
        "one lease"
    );
    expect_eq!(
        world.field(&id, "current_attempt_id").await?,
        attempt,
        "one attempt"
    );
    world.progress(&handle, Some(1), None).await?;
    world.renew(&handle).await?;
    world.complete(&handle, None).await?;
    Ok(())
}

async fn race(world: World) -> Verdict {
    let mut ids = BTreeSet::new();
    for _ in 0..8 {
        ids.insert(world.execution().create().await?);
    }
    let claims = (0..12).map(|_| {
        let worker = world.worker();
        tokio::spawn(async move { worker.claim_next().await })
    });
    let mut claimed = Vec::new();
    let mut handles = Vec::new();
    for claim in join_all(claims).await {
        let claim = claim.map_err(|error| Failure::new(error.to_string()))??;
        if let Some((id, handle)) = claim {
            claimed.push(id);
            handles.push(handle);
        }
    }
    expect_eq!(claimed.len(), 8, "claims with work");
    expect_eq!(
        claimed.into_iter().collect::<BTreeSet<_>>(),
        ids,
        "each execution once"
    );
    for handle in &handles {
        world.renew(handle).await?;
    }
    Ok(())
}

async fn epochs(world: World) -> Verdict {
    let id = world.execution().retries(9, 0).create().await?;
    let mut leases = BTreeSet::new();
    for epoch in 1..=4_u64 {
        let handle = world.worker().claim().await?;
        let seen = world.describe_execution(&id).await?;
        let lease = seen.and_then(|seen| seen.current_lease);
        let lease = lease.ok_or_else(|| Failure::new("the lease is shown"))?;
        expect_eq!(lease.lease_epoch.0, epoch, "the epoch");
        expect!(
            leases.insert(lease.lease_id),
            "lease {} is used again",
            lease.lease_id
        );
        expect_eq!(
            world.renew(&handle).await?.lease_epoch,
            epoch,
            "a renewal keeps it"
        );
        world.fail_with(&handle, FailureClass::Transient).await?;
        world.promote(&id).await?;
    }
    Ok(())
}

async fn promote_no_ops(world: World) -> Verdict {
    let waiting = world.execution().create().await?;
    let delayed = world
        .execution()
        .delay_until(world.in_ms(100))
        .create()
        .await?;
    let active = world.execution().lane("busy").create().await?;
    world.worker().lane("busy").claim().await?;
    let ended = world.execution().lane("done").create().await?;
    let handle = world.worker().lane("done").claim().await?;
    world.complete(&handle, None).await?;
    world.advance_ms(99);
    for id in [&waiting, &delayed, &active, &ended] {
        let before = world.observe(id).await?;
        world.promote(id).await?;
        expect_eq!(world.observe(id).await?, before, "nothing to promote");
    }
    Ok(())
}

async fn promote(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(1, 100).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.advance_ms(100);
    world.promote(&id).await?;
    world
        .expect_fields(
            &id,
            [
                ("eligibility_state", Some("eligible_now")),
                ("blocking_reason", Some("waiting_for_worker")),
                ("attempt_state", Some("pending_retry_attempt")),
                ("delay_until", None),
            ],
        )
        .await?;
    expect_eq!(
        world.worker().claims().await?,
        Some(id),
        "it can be claimed"
    );
    Ok(())
}

async fn deadline_stays(world: World) -> Verdict {
    let at = world.in_ms(10_000).to_string();
    let deadline = world.in_ms(10_000);
    let execution = world.execution().retries(1, 100);
    let (id, handle) = execution
        .with(|args| args.execution_deadline_at = Some(deadline))
        .claimed()
        .await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    expect_eq!(
        world.field(&id, "execution_deadline_at").await?,
        Some(at.clone()),
        "delayed"
    );
    world.advance_ms(100);
    world.promote(&id).await?;
    expect_eq!(
        world.field(&id, "execution_deadline_at").await?,
        Some(at),
        "promoted"
    );
    Ok(())
}
