//! Holding a lease, losing it, and being too late.

use ff_core::backend::{FailureClass, Handle, HandleOpaque, LeaseRenewal};
use ff_core::call::{Call, Method};
use ff_core::contracts::{
    CompleteExecutionArgs, FailExecutionArgs, RenewLeaseArgs, RenewLeaseResult,
};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::types::{AttemptId, AttemptIndex, CancelSource, ExecutionId, LeaseId, TimestampMs};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::stage::{ENDING, Failure, KEEPING, Leased, SUSPENDING, Verdict, World, case};

/// An execution that one worker failed and another holds: the old lease and the new one's handle.
async fn superseded(world: &World, ttl: u32) -> Result<(Leased, Handle), Failure> {
    let old = world.leased_by(world.execution().retries(9, 0).claimed().await?).await?;
    world.fail_with(&old.handle, FailureClass::Transient).await?;
    world.promote(&old.id).await?;
    let new = world.worker().named("other", "other-1").ttl(ttl).claim().await?;
    Ok((old, new))
}

impl World {
    /// Asserts that a renewal is for so long from now.
    fn expect_expiry(&self, renewal: &LeaseRenewal, millis: i64) -> Verdict {
        let shown = TimestampMs(renewal.expires_at_ms.cast_signed());
        self.expect_time(shown, self.due_in_ms(millis), "the expiry")
    }
}

/// Every call under a lease, refused with this code.
async fn refused_everywhere(world: &World, leased: &Leased, code: &str) -> Verdict {
    for call in world.claimed_of(&[KEEPING, ENDING, SUSPENDING]) {
        let answer = world.dispatch(call.of(world, leased)).await;
        expect_refused!(answer, code, "{}", call.method);
    }
    Ok(())
}

/// A handle with each of its bits the other way.
#[case(LSE_017)]
async fn edited(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().claim().await?;
    let bytes = handle.opaque.as_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut edited = bytes.to_vec();
        edited[bit / 8] ^= 1 << (bit % 8);
        let edited = HandleOpaque::new(edited.into_boxed_slice());
        let edited = Handle::new(handle.backend, handle.kind, edited);
        let at = format!("bit {bit} of {}", bytes.len() * 8);
        match world.renew(&edited).await {
            Ok(renewal) => {
                world.expect_expiry(&renewal, 30_000)?;
                expect_eq!(renewal.lease_epoch, 1, "the epoch, {at}");
            }
            Err(EngineError::Transport { source, .. }) => {
                return Err(Failure::new(format!("{at}: {source}")));
            }
            Err(_) => {}
        }
        if bit % 8 == 0 {
            world.pass_ms(1).await?;
        }
        world.renew(&handle).await?;
    }
    world.complete(&handle, None).await?;
    world.expect_fields(&id, [("terminal_outcome", "success")]).await
}

/// An old handle while another worker holds the execution.
#[case(LSE_001, LSE_002, LSE_008)]
async fn stale(world: World) -> Verdict {
    let (old, new) = superseded(&world, 30_000).await?;
    let id = old.id.clone();
    world.progress(&new, Some(10), Some("mine".to_owned())).await?;
    let before = world.observe(&id).await?;
    refused_everywhere(&world, &old, "state.stale_lease").await?;
    expect_eq!(world.observe(&id).await?, before, "the new holder notices nothing");
    world.complete(&new, Some(b"result".to_vec())).await?;
    expect_eq!(world.get_execution_result(&id).await?.as_deref(), Some(&b"result"[..]));
    Ok(())
}

/// A lease that is both stale and due is due.
#[case(LSE_018)]
async fn ladder(world: World) -> Verdict {
    let (old, _) = superseded(&world, 100).await?;
    world.pass_ms(100).await?;
    refused_everywhere(&world, &old, "state.lease_expired").await
}

/// A handle of an execution that only another deployment has.
#[case(LSE_002, needs(elsewhere))]
async fn unknown(world: World) -> Verdict {
    let leased = world.elsewhere().leased().await?;
    refused_everywhere(&world, &leased, "not_found.execution").await
}

/// Calls under a lease when the execution waits or has ended.
#[case(LSE_003, needs(passive))]
async fn not_active(world: World) -> Verdict {
    let refused = "contention.execution_not_active";
    let failed = world.leased_by(world.execution().retries(2, 100).claimed().await?).await?;
    let id = &failed.id;
    world.fail_with(&failed.handle, FailureClass::Timeout).await?;
    let before = world.observe(id).await?;
    refused_everywhere(&world, &failed, refused).await?;
    world.pass_ms(100).await?;
    expect_eq!(world.observe(id).await?, before, "while it is delayed");
    world.promote(id).await?;
    let before = world.observe(id).await?;
    refused_everywhere(&world, &failed, refused).await?;
    expect_eq!(world.observe(id).await?, before, "while it waits");

    let ended = world.leased_by(world.execution().lane("other").claimed().await?).await?;
    world.complete(&ended.handle, None).await?;
    let before = world.observe(&ended.id).await?;
    refused_everywhere(&world, &ended, refused).await?;
    expect_eq!(world.observe(&ended.id).await?, before, "when it has ended");
    Ok(())
}

/// What the refusal says there is instead.
#[case(LSE_004)]
async fn not_active_detail(world: World) -> Verdict {
    let detail = |outcome: &str, epoch: &str, phase: &str, attempt: Option<String>| {
        EngineError::Contention(ContentionKind::ExecutionNotActive {
            terminal_outcome: outcome.to_owned(),
            lease_epoch: epoch.to_owned(),
            lifecycle_phase: phase.to_owned(),
            attempt_id: attempt.unwrap_or_default(),
        })
    };
    let (id, handle) = world.execution().retries(1, 0).claimed().await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    let expected = detail("none", "1", "runnable", None);
    expect_eq!(world.renew(&handle).await, Err(expected), "a retry is pending");
    world.promote(&id).await?;
    let handle = world.worker().claim().await?;
    let attempt = world.field(&id, "current_attempt_id").await?;
    world.cancel(&handle, "why").await?;
    let expected = detail("cancelled", "2", "terminal", attempt);
    expect_eq!(world.renew(&handle).await, Err(expected), "it has ended");
    Ok(())
}

/// Whoever calls first on a due lease marks it.
#[case(LSE_005)]
async fn lapse_on_contact(world: World) -> Verdict {
    for call in world.claimed_of(&[KEEPING, ENDING, SUSPENDING]) {
        let id = world.execution().create().await?;
        let handle = world.worker().ttl(100).claim().await?;
        let leased = world.leased_by((id.clone(), handle)).await?;
        world.pass_ms(120).await?;
        let answer = world.dispatch(call.of(&world, &leased)).await;
        expect_refused!(answer, "state.lease_expired", "{}", call.method);
        world
            .expect_fields(
                &id,
                [
                    ("ownership_state", "lease_expired_reclaimable".to_owned()),
                    ("lease_expired_at", world.now().to_string()),
                ],
            )
            .await?;
        let before = world.observe(&id).await?;
        world.pass_ms(5).await?;
        let again = world.renew(&leased.handle).await;
        expect_refused!(again, "state.lease_expired", "again");
        expect_eq!(world.observe(&id).await?, before, "once marked it stays so");
    }
    Ok(())
}

/// From now, not from the last expiry, and as often as one likes.
#[case(LSE_009)]
async fn renew(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(31_700).claim().await?;
    for pause in [0, 40, 99, 1] {
        world.pass_ms(pause).await?;
        let before = world.observe(&id).await?;
        let renewal = world.renew(&handle).await?;
        world.expect_expiry(&renewal, 31_700)?;
        expect_eq!(renewal.lease_epoch, 1, "the epoch");
        let (until, now) = (world.due_in_ms(31_700).to_string(), world.now().to_string());
        let expected = [("lease_expires_at", until), ("lease_last_renewed_at", now)];
        world.expect_fields(&id, expected).await?;
        let touched =
            ["expires_at", "lease_last_renewed_at", "last_heartbeat_at", "last_mutation_at"];
        expect_eq!(
            world.observe(&id).await?.without(&touched),
            before.without(&touched),
            "nothing else changes"
        );
    }
    Ok(())
}

/// A lease that has lapsed.
async fn lapsed(world: &World) -> Result<(ExecutionId, Handle), Failure> {
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(100).claim().await?;
    world.pass_ms(100).await?;
    world.mark_lapsed(&id).await?;
    Ok((id, handle))
}

/// A lapsed lease stays lapsed.
#[case(LSE_011)]
async fn renew_lapsed(world: World) -> Verdict {
    let (id, handle) = lapsed(&world).await?;
    let before = world.observe(&id).await?;
    expect_refused!(world.renew(&handle).await, "state.lease_expired");
    expect_eq!(world.observe(&id).await?, before, "it stays lapsed");
    Ok(())
}

/// Even if the clock went back, a lapse would stand.
#[case(LSE_011, needs(clock))]
async fn renew_when_the_clock_goes_back(world: World) -> Verdict {
    let (id, handle) = lapsed(&world).await?;
    let before = world.observe(&id).await?;
    world.clock().set(world.in_ms(-50));
    expect_refused!(world.renew(&handle).await, "state.lease_expired");
    expect_eq!(world.observe(&id).await?, before, "it stays lapsed");
    Ok(())
}

/// A renewal and the mark at once, with a live and with a due lease.
#[case(LSE_011, needs(clock, concurrency))]
async fn renew_race(world: World) -> Verdict {
    for (pause, renewed) in [(99, true), (100, false)] {
        let id = world.execution().create().await?;
        let handle = world.worker().ttl(100).claim().await?;
        world.pass_ms(pause).await?;
        let (renewal, mark) = futures_util::join!(world.renew(&handle), world.mark_lapsed(&id));
        mark?;
        let ownership = world.field(&id, "ownership_state").await?;
        if renewed {
            renewal?;
            expect_eq!(ownership.as_deref(), Some("leased"), "renewed, so not marked");
        } else {
            expect_refused!(renewal, "state.lease_expired", "marked, so not renewed");
            expect_eq!(ownership.as_deref(), Some("lease_expired_reclaimable"));
        }
    }
    Ok(())
}

/// A due lease, marked or not, frees nothing.
#[case(LSE_012)]
async fn no_takeover(world: World) -> Verdict {
    let id = world.execution().create().await?;
    world.worker().ttl(100).claim().await?;
    world.pass_ms(150).await?;
    expect_eq!(world.worker().try_claim().await, Ok(None), "due");
    world.mark_lapsed(&id).await?;
    expect_eq!(world.worker().try_claim().await, Ok(None), "marked");
    world.promote(&id).await?;
    expect_eq!(world.worker().try_claim().await, Ok(None), "and not promoted either");
    Ok(())
}

/// What remains of a lease that its holder ended.
#[case(LSE_013)]
async fn released(world: World) -> Verdict {
    let calls = world.claimed_of(&[ENDING]).into_iter();
    for (call, retries) in calls.flat_map(|call| [(call, 0), (call, 1)]) {
        let execution = world.execution().retries(retries, 60_000);
        let leased = world.leased_by(execution.claimed().await?).await?;
        let (id, end) = (&leased.id, call.method);
        world.dispatch(call.of(&world, &leased)).await?;
        for field in [
            "current_lease_id",
            "current_worker_id",
            "current_worker_instance_id",
            "lease_expires_at",
            "lease_last_renewed_at",
        ] {
            expect_eq!(world.field(id, field).await?, None, "{field} after {end}");
        }
        world
            .expect_fields(id, [("ownership_state", "unowned"), ("current_lease_epoch", "1")])
            .await?;
    }
    Ok(())
}

/// Whatever happens, one handle at most can be renewed.
#[case(LSE_014)]
async fn one_live(world: World) -> Verdict {
    let id = world.execution().retries(1_000, 5).create().await?;
    let mut rng = StdRng::seed_from_u64(world.random());
    let mut handles: Vec<Handle> = Vec::new();
    for step in 0..120 {
        match rng.random_range(0..6) {
            0 | 1 => handles.extend(world.worker().ttl(40).try_claim().await?),
            2 => world.promote(&id).await?,
            3 => world.pass_ms(rng.random_range(1..8)).await?,
            _ if handles.is_empty() => {}
            n => {
                let handle = &handles[rng.random_range(0..handles.len())];
                // Refusals are part of the game: what counts is what is live afterwards.
                if n == 4 {
                    drop(world.fail_with(handle, FailureClass::Transient).await);
                } else {
                    drop(world.progress(handle, Some(1), None).await);
                }
            }
        }
        let mut live = 0;
        for handle in &handles {
            live += usize::from(world.renew(handle).await.is_ok());
        }
        expect!(live <= 1, "{live} handles can be renewed after step {step}");
    }
    Ok(())
}

/// What a lapse leaves.
#[case(LSE_015)]
async fn mark(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().named("w", "w-1").ttl(100).claim().await?;
    let lease = world.field(&id, "current_lease_id").await?;
    world.pass_ms(130).await?;
    world.mark_lapsed(&id).await?;
    world
        .expect_fields(
            &id,
            [
                ("lifecycle_phase", Some("active".to_owned())),
                ("ownership_state", Some("lease_expired_reclaimable".to_owned())),
                ("public_state", Some("active".to_owned())),
                ("blocking_reason", Some("waiting_for_worker".to_owned())),
                ("attempt_state", Some("attempt_interrupted".to_owned())),
                ("lease_expired_at", Some(world.now().to_string())),
                ("current_lease_id", lease),
                ("current_worker_instance_id", Some("w-1".to_owned())),
                ("current_lease_epoch", Some("1".to_owned())),
            ],
        )
        .await?;
    expect_refused!(world.complete(&handle, None).await, "state.lease_expired");
    Ok(())
}

/// Marking what is not due, not held or marked already.
#[case(LSE_016)]
async fn mark_no_ops(world: World) -> Verdict {
    let live = world.execution().create().await?;
    world.worker().claim().await?;
    let (ended, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    let marked = world.execution().create().await?;
    world.worker().ttl(10).claim().await?;
    let waiting = world.execution().create().await?;
    world.pass_ms(50).await?;
    world.mark_lapsed(&marked).await?;
    world.pass_ms(50).await?;
    for id in [&live, &ended, &marked, &waiting] {
        let before = world.observe(id).await?;
        world.mark_lapsed(id).await?;
        expect_eq!(world.observe(id).await?, before, "there is nothing to mark");
    }
    Ok(())
}

/// Every call under the lease that was given up.
#[case(LSE_019)]
async fn suspended(world: World) -> Verdict {
    let leased = world.leased_by(world.signing().await?).await?;
    let held = (leased.id.clone(), leased.handle.clone());
    world.suspended_by(held, world.plain_suspension()).await.map_err(Failure::in_setup)?;
    let id = &leased.id;
    let before = world.observe(id).await?;
    refused_everywhere(&world, &leased, "contention.lease_conflict").await?;
    expect_eq!(world.observe(id).await?, before, "nothing has changed");
    Ok(())
}

/// The calls that name a lease, changed in this way.
fn naming(leased: &Leased) -> [Call; 3] {
    [
        Call::RenewLease { args: leased.renewing() },
        Call::CompleteExecution { args: leased.completing() },
        Call::FailExecution { args: leased.failing() },
    ]
}

fn by(source: &CancelSource, call: Call) -> Call {
    match call {
        Call::RenewLease { args } => {
            Call::RenewLease { args: RenewLeaseArgs { fence: None, ..args } }
        }
        Call::CompleteExecution { args } => {
            let args = CompleteExecutionArgs { fence: None, source: source.clone(), ..args };
            Call::CompleteExecution { args }
        }
        Call::FailExecution { args } => {
            let args = FailExecutionArgs { fence: None, source: source.clone(), ..args };
            Call::FailExecution { args }
        }
        other => other,
    }
}

/// A fence that is wrong in one of its parts.
#[case(LSE_001)]
async fn each_part(world: World) -> Verdict {
    let leased = world.leased().await?;
    let before = world.observe(&leased.id).await?;
    let (mut lease, mut epoch, mut attempt) = (leased.clone(), leased.clone(), leased.clone());
    lease.fence.lease_id = LeaseId::from_uuid(world.uuid());
    epoch.fence.lease_epoch = epoch.fence.lease_epoch.next();
    attempt.fence.attempt_id = AttemptId::from_uuid(world.uuid());
    for (part, wrong) in [("lease", lease), ("epoch", epoch), ("attempt", attempt)] {
        for call in naming(&wrong) {
            let method = call.method();
            let answer = world.dispatch(call).await;
            expect_refused!(answer, "state.stale_lease", "{method} with another {part}");
        }
    }
    expect_eq!(world.observe(&leased.id).await?, before, "nothing has changed");
    Ok(())
}

/// Nobody gets in without a fence but an operator who ends the attempt.
#[case(LSE_006)]
async fn without_a_fence(world: World) -> Verdict {
    let leased = world.leased().await?;
    let before = world.observe(&leased.id).await?;
    let others = [
        CancelSource::LeaseHolder,
        CancelSource::FlowCascade,
        CancelSource::SystemTimeout,
        CancelSource::Custom("tool".to_owned()),
    ];
    for source in &others {
        for call in naming(&leased) {
            let method = call.method();
            let answer = world.dispatch(by(source, call)).await;
            expect!(answer.is_err(), "{method} by {} needs a fence", source.as_str());
        }
    }
    expect_eq!(world.observe(&leased.id).await?, before, "nothing has changed");

    for (place, outcome) in [(1, "success"), (2, "failed")] {
        let leased = world.leased().await?;
        let call = by(&CancelSource::OperatorOverride, naming(&leased)[place].clone());
        world.dispatch(call.clone()).await?;
        world.expect_fields(&leased.id, [("terminal_outcome", outcome)]).await?;
        let again = world.dispatch(call).await;
        expect_refused!(again, "contention.execution_not_active", "an operator, again");
    }
    Ok(())
}

/// An operator can end no more than the holder could.
#[case(LSE_006)]
async fn operators_pass_the_ladder(world: World) -> Verdict {
    let leased = world.leased().await?;
    world.complete(&leased.handle, None).await?;
    let execution = world.execution().create().await?;
    let handle = world.worker().ttl(50).claim().await?;
    let lapsed = world.leased_by((execution, handle)).await?;
    world.pass_ms(50).await?;
    let cases = [(leased, "contention.execution_not_active"), (lapsed, "state.lease_expired")];
    for (leased, code) in cases {
        for call in &naming(&leased)[1..] {
            let call = by(&CancelSource::OperatorOverride, call.clone());
            let method = call.method();
            expect_refused!(world.dispatch(call).await, code, "{method}");
        }
    }
    Ok(())
}

/// A fence is asked for before anything is looked at; with one any source will do.
#[case(LSE_020)]
async fn fences_first(world: World) -> Verdict {
    let leased = world.leased().await?;
    let mut unknown = leased.clone();
    unknown.id = world.execution_id();
    for call in naming(&unknown) {
        let method = call.method();
        let answer = world.dispatch(by(&CancelSource::LeaseHolder, call)).await;
        expect_refused!(answer, "validation.invalid_input", "{method}");
    }
    let renewal = by(&CancelSource::OperatorOverride, naming(&leased)[0].clone());
    let answer = world.dispatch(renewal).await;
    expect_refused!(answer, "validation.invalid_input", "operators renew nothing");
    let args = CompleteExecutionArgs { source: CancelSource::SystemTimeout, ..leased.completing() };
    world.complete_execution(args).await?;
    Ok(())
}

/// The right fence and another attempt.
#[case(LSE_007)]
async fn another_attempt(world: World) -> Verdict {
    let leased = world.leased().await?;
    let before = world.observe(&leased.id).await?;
    let mut wrong = leased.clone();
    wrong.attempt_index = AttemptIndex::new(1);
    for call in naming(&wrong) {
        let method = call.method();
        let unfenced = by(&CancelSource::OperatorOverride, call.clone());
        expect_refused!(world.dispatch(call).await, "state.stale_lease", "{method}");
        if method != Method::RenewLease {
            let answer = world.dispatch(unfenced).await;
            expect_refused!(answer, "state.stale_lease", "{method} by an operator");
        }
    }
    expect_eq!(world.observe(&leased.id).await?, before, "nothing has changed");
    Ok(())
}

/// For longer, for less, and with the handle again.
#[case(LSE_010)]
async fn renew_lease(world: World) -> Verdict {
    let leased = world.leased().await?;
    for millis in [90_000, 45_000] {
        world.pass_ms(7).await?;
        let before = world.observe(&leased.id).await?;
        let args = RenewLeaseArgs { lease_ttl_ms: millis, ..leased.renewing() };
        let RenewLeaseResult::Renewed { expires_at } = world.renew_lease(args).await?;
        world.expect_time(expires_at, world.due_in_ms(millis.cast_signed()), "the expiry")?;
        let touched = [
            "expires_at",
            "lease_expires_at",
            "lease_last_renewed_at",
            "last_heartbeat_at",
            "last_mutation_at",
        ];
        expect_eq!(
            world.observe(&leased.id).await?.without(&touched),
            before.without(&touched),
            "nothing else changes"
        );
        let now = world.now().to_string();
        world.expect_fields(&leased.id, [("lease_last_renewed_at", now)]).await?;
        let renewal = world.renew(&leased.handle).await?;
        world.expect_expiry(&renewal, 30_000)?;
        expect_eq!(renewal.lease_epoch, 1, "the epoch");
    }
    world.complete(&leased.handle, None).await?;
    Ok(())
}

/// It is as good as lapsed with a TTL of 0, and whatever is kept of its history.
#[case(LSE_021)]
async fn renew_lease_arguments(world: World) -> Verdict {
    let leased = world.leased().await?;
    let nothing = RenewLeaseArgs { lease_ttl_ms: 0, ..leased.renewing() };
    expect_refused!(world.renew_lease(nothing).await, "validation.invalid_input", "0 ms");
    for lease_history_grace_ms in [0, 1, 86_400_000] {
        let args = RenewLeaseArgs { lease_history_grace_ms, ..leased.renewing() };
        let RenewLeaseResult::Renewed { expires_at } = world.renew_lease(args).await?;
        world.expect_time(expires_at, world.due_in_ms(30_000), "the expiry")?;
    }
    Ok(())
}

/// A lapsed lease is renewed by its name no more than by its handle.
#[case(LSE_011)]
async fn renew_lapsed_by_name(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let handle = world.worker().ttl(100).claim().await?;
    let leased = world.leased_by((id, handle)).await?;
    world.pass_ms(100).await?;
    world.mark_lapsed(&leased.id).await?;
    let before = world.observe(&leased.id).await?;
    expect_refused!(world.renew_lease(leased.renewing()).await, "state.lease_expired");
    expect_eq!(world.observe(&leased.id).await?, before, "it stays lapsed");
    Ok(())
}
