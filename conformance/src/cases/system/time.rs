//! One clock, and nothing but calls moves anything.

use ff_core::backend::FailureClass;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{MAX_INTEGER, TimestampMs};

use crate::stage::{Verdict, World, case};

/// Every time that can be read is the clock's at the call that wrote it.
#[case(SYS_004)]
async fn one_clock(world: World) -> Verdict {
    let created = world.now();
    let id = world.execution().retries(3, 500).create().await?;
    world.pass_ms(10).await?;
    let claimed = world.now();
    let handle = world.worker().claim().await?;
    world.pass_ms(10).await?;
    world.renew(&handle).await?;
    world.expect_fields(&id, [("lease_last_renewed_at", world.now().to_string())]).await?;
    world.pass_ms(10).await?;
    let failed = world.now();
    world.fail_with(&handle, FailureClass::Transient).await?;

    let times = [
        ("created_at", created.0),
        ("started_at", claimed.0),
        ("last_mutation_at", failed.0),
        ("delay_until", failed.0 + 500),
    ];
    world.expect_fields(&id, times.map(|(name, at)| (name, at.to_string()))).await?;
    world.pass_ms(500).await?;
    world.promote(&id).await?;
    let handle = world.worker().claim().await?;
    // A retry does not start the execution anew.
    world.expect_fields(&id, [("started_at", claimed.to_string())]).await?;
    world.pass_ms(10).await?;
    world.complete(&handle, None).await?;
    world.expect_fields(&id, [("completed_at", world.now().to_string())]).await
}

/// Work at the first and at the last millisecond, and with a clock set beyond them.
#[case(SYS_046, needs(clock))]
async fn first_and_last(world: World) -> Verdict {
    let last = MAX_INTEGER.cast_signed();
    for (set, shown) in
        [(i64::MIN, 0), (-1, 0), (0, 0), (last, last), (last + 1, last), (i64::MAX, last)]
    {
        world.clock().set(TimestampMs(set));
        let id = world.execution().create().await?;
        let now = world.server_time_ms().await?;
        expect_eq!(now, shown.unsigned_abs(), "a clock set to {set}");
        world.expect_fields(&id, [("created_at", shown.to_string().as_str())]).await?;
        let handle = world.worker().claim().await?;
        if shown == 0 {
            world.renew(&handle).await?;
            world.complete(&handle, None).await?;
        } else {
            // It cannot expire any later.
            let renewed = world.renew(&handle).await;
            expect_refused!(renewed, "state.lease_expired");
        }
    }
    Ok(())
}

/// Executions created with wild `now`s are dated and ordered by the clock.
#[case(SYS_005)]
async fn callers_now(world: World) -> Verdict {
    let first = world
        .execution()
        .with(|args| args.now = TimestampMs(9_000_000_000_000_000))
        .create()
        .await?;
    let created = world.now();
    world.pass_ms(5).await?;
    let second = world.execution().with(|args| args.now = TimestampMs(1)).create().await?;
    for (id, at) in [(&first, created), (&second, world.now())] {
        // The clock's.
        world.expect_fields(id, [("created_at", at.to_string())]).await?;
    }
    expect_eq!(world.worker().claims().await?, Some(first), "the older one first");
    Ok(())
}

/// A `now` in the far future promotes nothing early.
#[case(SYS_005)]
async fn callers_now_promotes(world: World) -> Verdict {
    let until = world.in_ms(60_000);
    let id = world.execution().lane("later").delay_until(until).create().await?;
    let before = world.observe(&id).await?;
    let future = TimestampMs(until.0 + 1_000_000);
    let later = ff_core::types::LaneId::new("later");
    world.promote_delayed(world.partition_of(&id), &later, &id, future).await?;
    expect_eq!(world.observe(&id).await?, before, "the caller's time promotes nothing");
    let id = world.execution().delay_until(world.in_ms(20)).create().await?;
    world.pass_ms(20).await?;
    world.promote_delayed(world.partition_of(&id), &world.lane(), &id, TimestampMs(1)).await?;
    expect_eq!(world.worker().claims().await?, Some(id), "the clock does, whatever the caller's");
    Ok(())
}

/// The clock can be read, and leases are counted on it.
#[case(SYS_006)]
async fn server_time(world: World) -> Verdict {
    let before = world.server_time_ms().await?;
    let (id, _) = world.claimed().await?;
    let after = world.server_time_ms().await?;
    expect!(after >= before, "the clock does not go back: {before}, then {after}");
    let snapshot = world.describe_execution(&id).await?;
    let expires = snapshot
        .and_then(|snapshot| snapshot.current_lease)
        .map_or(0, |lease| lease.expires_at.0.unsigned_abs());
    expect!(
        (before + 30_000..=after + 30_000).contains(&expires),
        "a lease of 30 s taken between {before} and {after} does not expire at {expires}"
    );
    Ok(())
}

/// A lease that expires at this millisecond cannot be renewed.
#[case(SYS_007, needs(clock))]
async fn due_renew(world: World) -> Verdict {
    world.execution().create().await?;
    let handle = world.worker().ttl(100).claim().await?;
    world.pass_ms(99).await?;
    world.renew(&handle).await?;
    world.pass_ms(100).await?;
    expect_refused!(world.renew(&handle).await, "state.lease_expired");

    world.execution().create().await?;
    let never_renewed = world.worker().ttl(100).claim().await?;
    world.pass_ms(100).await?;
    expect_refused!(world.renew(&never_renewed).await, "state.lease_expired");
    Ok(())
}

/// A lease is marked at its very expiry, and not before.
#[case(SYS_007, needs(clock))]
async fn due_mark(world: World) -> Verdict {
    let id = world.execution().create().await?;
    world.worker().ttl(100).claim().await?;
    world.pass_ms(99).await?;
    world.mark_lapsed(&id).await?;
    expect_eq!(world.field(&id, "ownership_state").await?.as_deref(), Some("leased"));
    world.pass_ms(1).await?;
    world.mark_lapsed(&id).await?;
    expect_eq!(
        world.field(&id, "ownership_state").await?.as_deref(),
        Some("lease_expired_reclaimable")
    );
    Ok(())
}

/// A delay that ends at this millisecond is promoted, one that ends at the next is not.
#[case(SYS_007, needs(clock))]
async fn due_promote(world: World) -> Verdict {
    let id = world.execution().delay_until(world.in_ms(100)).create().await?;
    world.pass_ms(99).await?;
    world.promote(&id).await?;
    expect_eq!(world.worker().claims().await?, None, "one millisecond early");
    world.pass_ms(1).await?;
    world.promote(&id).await?;
    expect_eq!(world.worker().claims().await?, Some(id), "on time");
    Ok(())
}

/// A lease that ran out long ago is still shown as held.
#[case(SYS_027)]
async fn no_spontaneous_lapse(world: World) -> Verdict {
    let id = world.execution().create().await?;
    world.worker().ttl(100).claim().await?;
    let before = world.observe(&id).await?;
    world.pass_long(1_000_000, 200).await?;
    world.list_executions(world.partition_key_of(&id), None, 10).await?;
    expect_eq!(world.observe(&id).await?, before, "reads change nothing");
    Ok(())
}

/// A delay that ended long ago is still a delay.
#[case(SYS_027)]
async fn no_spontaneous_promotion(world: World) -> Verdict {
    let id = world.execution().delay_until(world.in_ms(1_500)).create().await?;
    let before = world.observe(&id).await?;
    world.pass_long(1_000_000, 1_600).await?;
    expect_eq!(world.worker().claims().await?, None, "nothing has promoted it");
    expect_eq!(world.observe(&id).await?, before, "neither reads nor claims change it");
    Ok(())
}
