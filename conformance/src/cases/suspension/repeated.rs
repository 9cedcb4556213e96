//! Calls about secrets, made again and again.

use ff_core::call::Method;
use ff_core::contracts::{RotateWaitpointHmacSecretAllArgs, RotateWaitpointHmacSecretOutcome};
use ff_core::engine_backend::EngineBackend;
use futures_util::future::join_all;

use crate::play::{Repetition, around_calls, fixture::seed};
use crate::stage::{Failure, InWorld, Need, Verdict, World, declare};

declare!(|topic| around_calls(topic, REPETITIONS));

const REPETITIONS: &[Repetition] = &[Repetition {
    method: Method::SeedWaitpointHmacSecret,
    clauses: &["WPT-023"],
    before: |_| Vec::new(),
    call: |_| seed("one"),
    answers: &[
        (1, "seeded.kid=one"),
        (9, "already_seeded.kid=one already_seeded.same_secret=true"),
    ],
}];

declare!(|topic| {
    vec![topic.case(
        Method::RotateWaitpointHmacSecretAll.as_str(),
        "The same call ten times, in turn and at once: each partition rotates once.",
        &["WPT-020"],
        &[Need::Concurrency],
        InWorld(|world| Box::pin(rotate(world))),
    )]
});

async fn rotate(world: World) -> Verdict {
    let rotation = |kid: &str| RotateWaitpointHmacSecretAllArgs::new(kid, "00ff", 60_000);
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(world.rotate_waitpoint_hmac_secret_all(rotation("one")).await?);
    }
    expect_once(&world, &answers)?;
    let calls = (0..10).map(|_| {
        let (world, args) = (world.clone(), rotation("two"));
        tokio::spawn(async move { world.rotate_waitpoint_hmac_secret_all(args).await })
    });
    let mut answers = Vec::new();
    for call in join_all(calls.collect::<Vec<_>>()).await {
        answers.push(call.map_err(|panic| Failure::new(format!("a task died: {panic}")))??);
    }
    expect_once(&world, &answers)
}

fn expect_once(
    world: &World,
    answers: &[ff_core::contracts::RotateWaitpointHmacSecretAllResult],
) -> Verdict {
    for partition in 0..world.partitions().num_flow_partitions {
        let mut rotated = 0;
        for entry in answers.iter().flat_map(|answer| &answer.entries) {
            if entry.partition != partition {
                continue;
            }
            match &entry.result {
                Ok(RotateWaitpointHmacSecretOutcome::Rotated { .. }) => rotated += 1,
                Ok(RotateWaitpointHmacSecretOutcome::Noop { .. }) => {}
                Err(error) => {
                    return Err(Failure::new(format!("partition {partition}: {error}")));
                }
            }
        }
        expect_eq!(rotated, 1, "rotations in partition {partition}");
    }
    Ok(())
}
