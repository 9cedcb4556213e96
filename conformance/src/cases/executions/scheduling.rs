//! What can be claimed, in which order, and by whom.

use std::collections::BTreeSet;

use ff_core::backend::FailureClass;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::ExecutionId;

use crate::stage::{Failure, Verdict, World, case};

/// What is held, lapsed, delayed or ended is not claimed.
#[case(SCH_001)]
async fn only_waiting(world: World) -> Verdict {
    let (_, ended) = world.claimed().await?;
    world.complete(&ended, None).await?;
    let (_, retrying) = world.execution().retries(1, 60_000).claimed().await?;
    world.fail_with(&retrying, FailureClass::Transient).await?;
    world.execution().delay_until(world.in_ms(60_000)).create().await?;
    let lapsed = world.execution().create().await?;
    world.worker().ttl(10).claim().await?;
    world.pass_ms(10).await?;
    world.mark_lapsed(&lapsed).await?;
    world.claimed().await?;
    expect_eq!(world.worker().claims().await?, None, "nothing waits");
    Ok(())
}

async fn drain(world: &World) -> Result<Vec<ExecutionId>, Failure> {
    world.worker().offers(&["cpu", "gpu"]).drains().await
}

/// Higher priority first.
#[case(SCH_002)]
async fn priority(world: World) -> Verdict {
    let mut expected = Vec::new();
    for priority in [0, 5, 9_000, 5_000, 1] {
        world.pass_ms(1).await?;
        expected.push((priority, world.execution().priority(priority).create().await?));
    }
    expected.sort_by_key(|(priority, _)| -priority);
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    expect_eq!(drain(&world).await?, expected, "by priority");
    Ok(())
}

/// Then the older.
#[case(SCH_002)]
async fn age(world: World) -> Verdict {
    let mut expected = Vec::new();
    for _ in 0..6 {
        expected.push(world.execution().create().await?);
        world.pass_ms(1).await?;
    }
    expect_eq!(drain(&world).await?, expected, "by age");
    Ok(())
}

/// Then the smaller id.
#[case(SCH_018, needs(clock))]
async fn by_id(world: World) -> Verdict {
    let mut ids = BTreeSet::new();
    for _ in 0..6 {
        ids.insert(world.execution().create().await?);
    }
    expect_eq!(drain(&world).await?, ids.into_iter().collect::<Vec<_>>(), "by id");
    Ok(())
}

/// The smaller id of each of several partitions, whatever it requires.
#[case(SCH_018, needs(clock))]
async fn each_partition(world: World) -> Verdict {
    let count = world.partitions().num_flow_partitions;
    let partitions: BTreeSet<u16> = [2, 10, 20, 100, 135].map(|index| index % count).into();
    for index in &partitions {
        for tokens in [&[][..], &["gpu"], &[], &["cpu"]] {
            let id = world.execution_id_in(*index);
            world.execution().id(&id).requires(tokens).create().await?;
        }
    }
    let order = drain(&world).await?;
    expect_eq!(order.len(), 4 * partitions.len(), "all are claimed");
    for index in partitions {
        let claimed = order.iter().filter(|id| id.partition() == index);
        let claimed: Vec<&ExecutionId> = claimed.collect();
        let mut expected = claimed.clone();
        expected.sort();
        expect_eq!(claimed, expected, "partition {index}");
    }
    Ok(())
}

/// Promoted work takes the place of its age.
#[case(SCH_002, SCH_015)]
async fn promoted_place(world: World) -> Verdict {
    let oldest = world.execution().delay_until(world.in_ms(50)).create().await?;
    world.pass_ms(1).await?;
    let younger = world.execution().create().await?;
    world.pass_ms(1).await?;
    let urgent = world.execution().priority(1).delay_until(world.in_ms(50)).create().await?;
    world.pass_ms(100).await?;
    world.promote(&urgent).await?;
    world.promote(&oldest).await?;
    expect_eq!(drain(&world).await?, vec![urgent, oldest, younger], "each at its place");
    Ok(())
}

/// The order holds across different requirements.
#[case(SCH_002, CLM_002)]
async fn across_requirements(world: World) -> Verdict {
    let mut expected = Vec::new();
    for tokens in [&["gpu"][..], &[], &["cpu", "gpu"], &["cpu"], &[], &["gpu"]] {
        expected.push(world.execution().requires(tokens).create().await?);
        world.pass_ms(1).await?;
    }
    expect_eq!(drain(&world).await?, expected, "by age, whatever they require");
    let mut by_priority = Vec::new();
    for (tokens, priority) in [(&["gpu"][..], 1), (&[], 2), (&["cpu"], 3)] {
        let execution = world.execution().requires(tokens).priority(priority);
        by_priority.insert(0, execution.create().await?);
        world.pass_ms(1).await?;
    }
    expect_eq!(drain(&world).await?, by_priority, "by priority first, whatever they require");
    Ok(())
}

/// All required tokens, exactly; more does no harm.
#[case(SCH_003)]
async fn subset(world: World) -> Verdict {
    let id = world.execution().requires(&["gpu", "eu-west"]).create().await?;
    for offers in [&[][..], &["gpu"], &["gpu", "EU-WEST"], &["gpu", "eu-wes"], &["eu-west"]] {
        let claimed = world.worker().offers(offers).claims().await?;
        expect_eq!(claimed, None, "{offers:?} do not do");
    }
    let worker = world.worker().offers(&["ssd", "eu-west", "gpu"]);
    expect_eq!(worker.claims().await?, Some(id), "these and more do");
    Ok(())
}

/// Offers obey the limits of requirements.
#[case(SCH_004)]
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
    expect_refused!(world.worker().offers(&many).try_claim().await, refused, "257 tokens");
    expect_eq!(world.observe(&id).await?, before, "nothing is claimed");
    many[256] = many[0];
    expect_eq!(world.worker().offers(&many).claims().await?, Some(id), "256, one of them twice");
    Ok(())
}

/// Promoting what is not delayed does nothing.
#[case(SCH_016)]
async fn promote_no_ops(world: World) -> Verdict {
    let waiting = world.execution().create().await?;
    let delayed = world.execution().delay_until(world.in_ms(60_000)).create().await?;
    let active = world.execution().lane("busy").create().await?;
    world.worker().lane("busy").claim().await?;
    let ended = world.execution().lane("done").create().await?;
    let handle = world.worker().lane("done").claim().await?;
    world.complete(&handle, None).await?;
    world.pass_ms(99).await?;
    for id in [&waiting, &delayed, &active, &ended] {
        let before = world.observe(id).await?;
        world.promote(id).await?;
        expect_eq!(world.observe(id).await?, before, "nothing to promote");
    }
    Ok(())
}

/// Promoted, a retry is still a retry, and no delay is left.
#[case(SCH_015)]
async fn promote(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(1, 100).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.pass_ms(100).await?;
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
    expect_eq!(world.worker().claims().await?, Some(id), "it can be claimed");
    Ok(())
}

/// Retry and promotion leave the deadline alone.
#[case(SCH_017)]
async fn deadline_stays(world: World) -> Verdict {
    let deadline = world.in_ms(10_000);
    let at = deadline.to_string();
    let execution = world.execution().retries(1, 100);
    let (id, handle) =
        execution.with(|args| args.execution_deadline_at = Some(deadline)).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    expect_eq!(world.field(&id, "execution_deadline_at").await?, Some(at.clone()), "delayed");
    world.pass_ms(100).await?;
    world.promote(&id).await?;
    expect_eq!(world.field(&id, "execution_deadline_at").await?, Some(at), "promoted");
    Ok(())
}
