//! Quota policies.

use ff_core::contracts::{
    CheckAdmissionResult, CreateQuotaPolicyArgs, CreateQuotaPolicyResult, QuotaPolicyLimits,
};
use ff_core::engine_backend::EngineBackend;

use crate::stage::{Failure, Verdict, World, case};

/// The numbers that are shown of a policy, but for the jitter.
fn numbers(limits: Option<QuotaPolicyLimits>) -> Option<(u64, u64, u64)> {
    limits.map(|limits| {
        let window = limits.requests_per_window_seconds;
        (limits.max_requests_per_window, window, limits.active_concurrency_cap)
    })
}

/// With everything different.
#[case(QUO_003)]
async fn created_once(world: World) -> Verdict {
    let id = world.quota(world.quota_args()).await?;
    let mut again = world.quota_args();
    again.quota_policy_id = id;
    (again.max_concurrent, again.window_seconds, again.max_requests_per_window) = (7, 7, 7);
    let answer = world.create_quota_policy(again).await?;
    let expected = CreateQuotaPolicyResult::AlreadySatisfied { quota_policy_id: id };
    expect_eq!(answer, expected, "it is known");
    let shown = numbers(world.read_quota_policy_limits(&id).await?);
    expect_eq!(shown, Some((10, 60, 3)), "nothing has changed");
    Ok(())
}

/// Eight at once.
#[case(QUO_003, needs(concurrency))]
async fn created_at_once(world: World) -> Verdict {
    let args = world.quota_args();
    let id = args.quota_policy_id;
    let create = |world: World, number: usize| {
        let args = CreateQuotaPolicyArgs { max_concurrent: number as u64, ..args.clone() };
        async move { world.create_quota_policy(args).await }
    };
    let mut created = Vec::new();
    for (number, answer) in (0..).zip(world.at_once(8, create).await?) {
        if answer? == (CreateQuotaPolicyResult::Created { quota_policy_id: id }) {
            created.push((10, 60, number));
        }
    }
    let shown = numbers(world.read_quota_policy_limits(&id).await?);
    expect_eq!(created, shown.into_iter().collect::<Vec<_>>(), "the one that is new");
    Ok(())
}

/// Windows and numbers that no policy has.
#[case(QUO_002)]
async fn arguments(world: World) -> Verdict {
    type Spoil = fn(&mut CreateQuotaPolicyArgs);
    let bad: [(&str, Spoil); 4] = [
        ("no window", |args| args.window_seconds = 0),
        ("a long window", |args| args.window_seconds = (1 << 53) / 1_000 + 1),
        ("a large rate", |args| args.max_requests_per_window = 1 << 53),
        ("a large cap", |args| args.max_concurrent = 1 << 53),
    ];
    for (what, spoil) in bad {
        let mut args = world.quota_args();
        spoil(&mut args);
        let id = args.quota_policy_id;
        let answer = world.create_quota_policy(args).await;
        expect_refused!(answer, "validation.invalid_quota_spec", "{what}");
        expect_eq!(world.read_quota_policy_limits(&id).await?, None, "{what}");
    }
    let mut unlimited = world.quota_args();
    (unlimited.window_seconds, unlimited.max_requests_per_window) = (0, 0);
    world.quota(unlimited).await?;
    Ok(())
}

/// Two policies, and one that only admissions know.
#[case(QUO_004)]
async fn limits(world: World) -> Verdict {
    let one = world.quota(world.quota_args()).await?;
    let other =
        world.quota(CreateQuotaPolicyArgs { max_concurrent: 0, ..world.quota_args() }).await?;
    for (id, cap) in [(one, 3), (other, 0)] {
        let shown = numbers(world.read_quota_policy_limits(&id).await?);
        expect_eq!(shown, Some((10, 60, cap)), "the limits");
    }
    let unknown = world.quota_id();
    expect_eq!(world.read_quota_policy_limits(&unknown).await?, None, "it is not known");
    let asks = world.asking(1, 1);
    let answer = world.admission(&unknown, &asks).await.map_err(Failure::setup_refused)?;
    expect_eq!(answer, CheckAdmissionResult::Admitted, "it need not be known");
    expect_eq!(world.read_quota_policy_limits(&unknown).await?, None, "it is still not known");
    Ok(())
}

/// Before and after an admission with one.
#[case(QUO_018)]
async fn jitter(world: World) -> Verdict {
    let id = world.quota(world.quota_args()).await?;
    for _ in 0..2 {
        let shown = world.read_quota_policy_limits(&id).await?;
        expect_eq!(shown.map(|limits| limits.jitter_ms), Some(0), "none was named");
        let mut asks = world.asking(10, 10);
        asks.jitter_ms = Some(50);
        world.admitted(&id, asks).await?;
    }
    Ok(())
}
