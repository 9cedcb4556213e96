//! Claiming fresh work.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ff_core::backend::{FailureClass, HandleKind};
use ff_core::engine_backend::EngineBackend;
use futures_util::future::join_all;

use crate::stage::{Failure, Verdict, World, case};

/// That there is no work is no error.
#[case(CLM_001)]
async fn nothing(world: World) -> Verdict {
    expect_eq!(world.worker().try_claim().await, Ok(None), "an empty deployment");
    world.claimed().await?;
    expect_eq!(world.worker().try_claim().await, Ok(None), "everything is held");
    Ok(())
}

/// A lane that cannot exist is.
#[case(EXE_003)]
async fn bad_lane(world: World) -> Verdict {
    for lane in ["", "a\nb", &"x".repeat(65)] {
        let answer = world.worker().lane(lane).try_claim().await;
        expect_refused!(answer, "validation.invalid_input", "lane {lane:?}");
    }
    Ok(())
}

/// Work of one lane is not another's.
#[case(CLM_001)]
async fn lanes(world: World) -> Verdict {
    let id = world.execution().lane("a").create().await?;
    for other in ["b", "A", "a ", "aa"] {
        expect_eq!(world.worker().lane(other).claims().await?, None, "lane {other:?}");
    }
    expect_eq!(world.worker().lane("a").claims().await?, Some(id));
    Ok(())
}

/// A match behind 300 others that the worker cannot run.
///
/// Claims everything, in the order it comes.
#[case(CLM_002)]
async fn deep_backlog(world: World) -> Verdict {
    for n in 0..300 {
        let token = format!("special-{}", n % 7);
        world.execution().priority(100).requires(&[&token]).create().await?;
    }
    let id = world.execution().requires(&["gpu"]).create().await?;
    let worker = world.worker().offers(&["gpu"]);
    expect_eq!(worker.claims().await?, Some(id), "the one that fits");
    expect_eq!(worker.claims().await?, None, "and no other");
    Ok(())
}

/// Work in any partition.
#[case(CLM_002)]
async fn every_partition(world: World) -> Verdict {
    let last = world.partitions().num_flow_partitions - 1;
    for partition in BTreeSet::from([0, last / 2, last]) {
        let id = world.execution_id_in(partition);
        world.execution().id(&id).create().await?;
        expect_eq!(world.worker().claims().await?, Some(id), "partition {partition}");
    }
    Ok(())
}

/// What was passed over is as it was.
#[case(CLM_002)]
async fn passed_over(world: World) -> Verdict {
    let special = world.execution().priority(9_000).requires(&["gpu"]).create().await?;
    let plain = world.execution().create().await?;
    let before = world.observe(&special).await?;
    expect_eq!(world.worker().claims().await?, Some(plain), "the one that fits");
    expect_eq!(world.worker().claims().await?, None, "and no other");
    expect_eq!(world.observe(&special).await?, before, "passed over, not touched");
    Ok(())
}

/// A waiting claim gets work that comes.
#[case(CLM_004, needs(concurrency))]
async fn waits_for_work(world: World) -> Verdict {
    let waiting = world.worker().waiting(Duration::from_secs(20));
    let claim = tokio::spawn(async move { waiting.try_claim().await });
    tokio::task::yield_now().await;
    world.execution().create().await?;
    let claimed = claim.await.map_err(|error| Failure::new(error.to_string()))??;
    expect!(claimed.is_some(), "the waiting claim has the work");
    Ok(())
}

/// A claim that may wait for as long as there is time.
#[case(SYS_038, needs(concurrency))]
async fn waits_forever(world: World) -> Verdict {
    let waiting = world.worker().waiting(Duration::MAX);
    let claim = tokio::spawn(async move { waiting.try_claim().await });
    tokio::task::yield_now().await;
    world.execution().create().await?;
    world.execution().create().await?;
    let claimed = claim.await.map_err(|error| Failure::new(error.to_string()))??;
    expect!(claimed.is_some(), "the waiting claim has work");
    let claimed = world.worker().waiting(Duration::MAX).try_claim().await?;
    expect!(claimed.is_some(), "work that is there is taken at once");
    Ok(())
}

/// A claim that may not wait at all looks all the same.
#[case(CLM_004)]
async fn waits_for_nothing(world: World) -> Verdict {
    expect_eq!(world.worker().waiting(Duration::ZERO).try_claim().await, Ok(None), "no work");
    world.execution().create().await?;
    let claimed = world.worker().waiting(Duration::ZERO).try_claim().await?;
    expect!(claimed.is_some(), "the work that is there");
    Ok(())
}

/// A waiting claim gives up when its time has passed.
#[case(CLM_004)]
async fn waits_in_vain(world: World) -> Verdict {
    let limit = Duration::from_millis(40);
    let started = Instant::now();
    expect_eq!(world.worker().waiting(limit).try_claim().await, Ok(None), "no work comes");
    expect!(started.elapsed() >= limit, "it waited {:?}, not {limit:?}", started.elapsed());
    Ok(())
}

/// A claim that is dropped while it waits has taken nothing.
#[case(CLM_004, needs(concurrency))]
async fn dropped(world: World) -> Verdict {
    let waiting = world.worker().waiting(Duration::from_secs(20));
    let cut = tokio::time::timeout(Duration::from_millis(20), waiting.try_claim()).await;
    expect!(cut.is_err(), "it was still waiting");
    let id = world.execution().create().await?;
    expect_eq!(world.worker().claims().await?, Some(id), "the work is free");
    Ok(())
}

/// Attempt, lease, epoch and times after a claim.
#[case(CLM_005)]
async fn effect(world: World) -> Verdict {
    let id = world.execution().retries(5, 10).create().await?;
    world.pass_ms(3).await?;
    let started = world.now();
    for round in 0..3_u32 {
        let handle = world.worker().ttl(31_000).named("w", "w-1").claim().await?;
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
                    ("lease_expires_at", (now + 31_000).to_string()),
                    ("started_at", started.to_string()),
                ],
            )
            .await?;
        expect_eq!(world.field(&id, "blocking_reason").await?, None, "nothing blocks it");
        world.fail_with(&handle, FailureClass::Transient).await?;
        world.pass_ms(10).await?;
        world.promote(&id).await?;
    }
    Ok(())
}

/// The handle is fresh and stands for what is shown.
#[case(CLM_006)]
async fn handle(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    expect_eq!(handle.kind, HandleKind::Fresh);
    let seen = world.describe_execution(&id).await?;
    let seen = seen.ok_or_else(|| Failure::new("the execution is there"))?;
    let lease = seen.current_lease.map(|lease| lease.lease_id.to_string());
    let attempt = seen.current_attempt.map(|attempt| attempt.attempt_id.to_string());
    expect_eq!(world.field(&id, "current_lease_id").await?, lease, "one lease");
    expect_eq!(world.field(&id, "current_attempt_id").await?, attempt, "one attempt");
    world.progress(&handle, Some(1), None).await?;
    world.renew(&handle).await?;
    world.complete(&handle, None).await?;
    Ok(())
}

/// 12 workers on 8 executions.
#[case(CLM_008, needs(concurrency))]
async fn race(world: World) -> Verdict {
    for _ in 0..8 {
        world.execution().create().await?;
    }
    let claims = (0..12).map(|_| {
        let worker = world.worker();
        tokio::spawn(async move { worker.try_claim().await })
    });
    let mut handles = Vec::new();
    for claim in join_all(claims).await {
        handles.extend(claim.map_err(|error| Failure::new(error.to_string()))??);
    }
    expect_eq!(handles.len(), 8, "claims with work");
    // Of one execution only one handle could be renewed.
    for handle in &handles {
        world.renew(handle).await?;
    }
    Ok(())
}

/// 8 workers on 12 executions get the first 8.
#[case(CLM_009, needs(concurrency))]
async fn firsts(world: World) -> Verdict {
    for _ in 0..4 {
        let mut ids = Vec::new();
        for _ in 0..12 {
            let id = world.execution_id_in(0);
            ids.push(world.execution().id(&id).create().await?);
            world.pass_ms(1).await?;
        }
        let claims = (0..8).map(|_| {
            let worker = world.worker();
            tokio::spawn(async move { worker.claims().await })
        });
        let mut claimed = BTreeSet::new();
        for claim in join_all(claims).await {
            claimed.extend(claim.map_err(|error| Failure::new(error.to_string()))??);
        }
        let firsts: BTreeSet<_> = ids[..8].iter().cloned().collect();
        expect_eq!(claimed, firsts, "the first eight");
        world.worker().drains().await?;
    }
    Ok(())
}

/// The first is taken while refused calls and reads are about it.
#[case(CLM_010, needs(concurrency))]
async fn hidden(world: World) -> Verdict {
    for _ in 0..8 {
        let ids = [world.execution_id_in(0), world.execution_id_in(0)];
        let first = world.execution().id(&ids[0]).retries(1, 0).create().await?;
        let stale = world.worker().claim().await?;
        world.fail_with(&stale, FailureClass::Transient).await?;
        world.pass_ms(1).await?;
        world.promote(&first).await?;
        let second = world.execution().id(&ids[1]).create().await?;
        let others = (0..4).map(|_| {
            let (world, stale, first) = (world.clone(), stale.clone(), first.clone());
            tokio::spawn(async move {
                for _ in 0..8 {
                    let late = world.complete(&stale, None).await;
                    expect_refused!(late, "contention.execution_not_active");
                    world.describe_execution(&first).await?;
                }
                Ok(())
            })
        });
        let others: Vec<_> = others.collect();
        // Others have begun, and go on.
        tokio::task::yield_now().await;
        let claimed = world.worker().claims().await?;
        expect_eq!(claimed, Some(first), "what comes first");
        for other in others {
            // Those that come after the claim are refused otherwise.
            let _ = other.await;
        }
        expect_eq!(world.worker().claims().await?, Some(second), "then the other");
    }
    Ok(())
}

/// CLM-011.
const SERVED_FIRST: usize = 1_024;

/// Work in one partition is taken although there is ever more in another.
#[case(CLM_011)]
async fn fair(world: World) -> Verdict {
    let partitions = world.partitions().num_flow_partitions;
    let busy = partitions - 1;
    let create = async |partition| {
        let id = world.execution_id_in(partition);
        world.execution().id(&id).create().await
    };
    let worker = world.worker();
    create(busy).await?;
    worker.claim().await?;
    create(busy).await?;
    let waiting = create(0).await?;
    for _ in 0..=SERVED_FIRST + 1 {
        world.pass_ms(1).await?;
        create(busy).await?;
        let Some((claimed, lease)) = worker.claim_next().await? else {
            return Err(Failure::new("there is work"));
        };
        if claimed == waiting {
            return Ok(());
        }
        world.complete(&lease, None).await?;
    }
    Err(Failure::new(format!("{SERVED_FIRST} others were taken before it")))
}

/// Epochs count on and lease ids differ across retries.
#[case(LSE_001)]
async fn epochs(world: World) -> Verdict {
    let id = world.execution().retries(9, 0).create().await?;
    let mut leases = BTreeSet::new();
    for epoch in 1..=4_u64 {
        let handle = world.worker().claim().await?;
        let seen = world.describe_execution(&id).await?;
        let lease = seen.and_then(|seen| seen.current_lease);
        let lease = lease.ok_or_else(|| Failure::new("the lease is shown"))?;
        expect_eq!(lease.lease_epoch.0, epoch, "the epoch");
        expect!(leases.insert(lease.lease_id), "lease {} is used again", lease.lease_id);
        expect_eq!(world.renew(&handle).await?.lease_epoch, epoch, "a renewal keeps it");
        world.fail_with(&handle, FailureClass::Transient).await?;
        world.promote(&id).await?;
    }
    Ok(())
}
