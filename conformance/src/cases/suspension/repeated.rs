//! Calls about secrets, waitpoints, suspensions and signals, made again and again.

use ff_core::backend::IdempotencyKey;
use ff_core::call::{Call, Method};
use ff_core::contracts::{RotateWaitpointHmacSecretAllArgs, RotateWaitpointHmacSecretOutcome};
use ff_core::engine_backend::EngineBackend;
use futures_util::future::join_all;

use crate::play::fixture::{create_waitpoint, seed, seeded, suspend};
use crate::play::{Fixture, Line, Repetition, around_calls, call};
use crate::stage::{Failure, InWorld, Need, Verdict, World, declare};

declare!(|topic| around_calls(topic, REPETITIONS));

const REPETITIONS: &[Repetition] = &[
    Repetition {
        method: Method::SeedWaitpointHmacSecret,
        clauses: &["WPT-023"],
        before: |_| Vec::new(),
        call: |_| seed("one"),
        answers: &[
            (1, "seeded.kid=one"),
            (9, "already_seeded.kid=one already_seeded.same_secret=true"),
        ],
    },
    Repetition {
        method: Method::CreateWaitpoint,
        clauses: &["WPT-003"],
        before: claimed,
        call: |_| create_waitpoint("w1"),
        answers: &[(10, "hmac_token=one:signature waitpoint_id=minted")],
    },
    Repetition {
        method: Method::Suspend,
        clauses: &["SUS-018"],
        before: claimed,
        call: |_| suspend("w1", 1),
        answers: &[(10, SUSPENDED)],
    },
    Repetition {
        method: Method::SuspendByTriple,
        clauses: &["SUS-019"],
        before: |fixture| lines(claimed(fixture), vec![call(keyed(suspend("w1", 1)), SUSPENDED)]),
        call: |fixture| keyed(fixture.suspend_by_triple(1, 2)),
        answers: &[(10, SUSPENDED)],
    },
    Repetition {
        method: Method::DeliverSignal,
        clauses: &["SIG-006"],
        before: waiting,
        call: |fixture| fixture.deliver(1, 1, 1),
        answers: &[
            (1, "accepted.effect=resume_condition_satisfied accepted.signal_id=s1"),
            (9, "duplicate.existing_signal_id=s1"),
        ],
    },
    Repetition {
        method: Method::DeliverApprovalSignal,
        clauses: &["SIG-019"],
        before: waiting,
        call: |fixture| fixture.approve(1, 1),
        answers: &[
            (1, "accepted.effect=resume_condition_satisfied accepted.signal_id=minted"),
            (9, "duplicate.existing_signal_id=minted"),
        ],
    },
    Repetition {
        method: Method::ResumeExecution,
        clauses: &["SUS-031"],
        before: waiting,
        call: |fixture| fixture.resume(1, 0),
        answers: &[
            (1, "resumed.public_state=resumable"),
            (9, "refused: state.execution_not_suspended"),
        ],
    },
    Repetition {
        method: Method::ClaimResumedExecution,
        clauses: &["SUS-038"],
        before: resumable,
        call: |fixture| fixture.go_on("w2", 1, 1),
        answers: &[
            (
                1,
                "claimed.attempt_id=minted claimed.attempt_index=0 claimed.execution_id=e1 \
                 claimed.handle.handle=resumed claimed.lease_epoch=2 claimed.lease_expires_at=t+30000 \
                 claimed.lease_id=l1",
            ),
            (9, "refused: contention.execution_not_leaseable"),
        ],
    },
    Repetition {
        method: Method::ClaimFromResumeGrant,
        clauses: &["SUS-052"],
        before: resumable,
        call: |fixture| fixture.go_on_by_token("w2", 1),
        answers: &[(1, "handle=resumed"), (9, "ok, nothing")],
    },
    Repetition {
        method: Method::ExpireSuspension,
        clauses: &["SUS-033"],
        before: |fixture| {
            lines(claimed(fixture), vec![call(fixture.suspend_late("w1", 1), SUSPENDED)])
        },
        call: |fixture| fixture.expire_suspension(1),
        answers: &[(10, "ok, nothing")],
    },
    Repetition {
        method: Method::CloseWaitpoint,
        clauses: &["WPT-016"],
        before: waiting,
        call: |fixture| fixture.close_waitpoint(1, 1),
        answers: &[(10, "ok, nothing")],
    },
];

const SUSPENDED: &str = "suspended.details.additional_waitpoints=[] suspended.details.suspension_id=u1 \
    suspended.details.waitpoint_id=w1 suspended.details.waitpoint_key=wp \
    suspended.details.waitpoint_token=one:signature suspended.handle.handle=suspended";

/// `w1` holds execution 1, and tokens can be signed.
fn claimed(fixture: &Fixture) -> Vec<Line> {
    vec![seeded(), fixture.created(1), call(fixture.claim("w1"), "handle=fresh")]
}

/// Execution 1 is suspended on waitpoint 1.
fn waiting(fixture: &Fixture) -> Vec<Line> {
    lines(claimed(fixture), vec![call(suspend("w1", 1), SUSPENDED)])
}

/// Execution 1 can go on by a grant.
fn resumable(fixture: &Fixture) -> Vec<Line> {
    let resumed = call(fixture.resume(1, 0), "resumed.public_state=resumable");
    lines(waiting(fixture), vec![resumed, call(fixture.grant(1), "granted.execution_id=e1")])
}

fn lines(first: Vec<Line>, then: Vec<Line>) -> Vec<Line> {
    first.into_iter().chain(then).collect()
}

/// The suspension under a key.
fn keyed(mut suspend: Call) -> Call {
    if let Call::Suspend { args, .. } | Call::SuspendByTriple { args, .. } = &mut suspend {
        args.idempotency_key = Some(IdempotencyKey::new("key"));
    }
    suspend
}

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
