//! Giving up a lease until a condition is met.

use ff_core::backend::{
    HandleKind, IdempotencyKey, ResumeCondition, SuspendArgs, SuspendOutcome, SuspensionReasonCode,
    TimeoutBehavior, WaitpointBinding,
};
use ff_core::contracts::DeliverSignalArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::policy::SuspensionPolicy;
use ff_core::types::{TimestampMs, WaitpointId};
use futures_util::future::join_all;

use crate::stage::{Failure, Verdict, World, all_of, any_at, case, named_at};

/// The lease is gone, the attempt is not, and what it waits for is shown.
#[case(SUS_021)]
async fn suspended(world: World) -> Verdict {
    let (id, handle) = world.signing().await?;
    let attempt = world.field(&id, "current_attempt_id").await?;
    world.pass_ms(20).await?;
    let args = world.plain_suspension();
    let suspended = world.suspended_by((id, handle), args.clone()).await?;
    let expected = [
        ("lifecycle_phase", Some("suspended".to_owned())),
        ("public_state", Some("suspended".to_owned())),
        ("ownership_state", Some("unowned".to_owned())),
        ("eligibility_state", Some("not_applicable".to_owned())),
        ("blocking_reason", Some("waiting_for_signal".to_owned())),
        ("terminal_outcome", Some("none".to_owned())),
        ("attempt_state", Some("attempt_interrupted".to_owned())),
        ("current_attempt_id", attempt),
        ("current_attempt_index", Some("0".to_owned())),
        ("total_attempt_count", Some("1".to_owned())),
        ("current_lease_epoch", Some("1".to_owned())),
        ("current_lease_id", None),
        ("current_worker_id", None),
        ("lease_expires_at", None),
        ("last_transition_at", Some(world.now().to_string())),
        ("current_suspension_id", Some(args.suspension_id.to_string())),
        ("current_waitpoint_id", Some(suspended.details.waitpoint_id.to_string())),
    ];
    world.expect_fields(&suspended.id, expected).await?;
    let snapshot = world.describe_execution(&suspended.id).await?;
    let snapshot = snapshot.ok_or_else(|| Failure::new("it is described"))?;
    expect_eq!(snapshot.current_waitpoint, Some(suspended.details.waitpoint_id));
    expect!(snapshot.current_lease.is_none(), "no lease is shown");
    expect_eq!(world.worker().try_claim().await?, None, "it cannot be claimed");
    Ok(())
}

/// Three waitpoints in the order of the request, and a handle that is good for nothing else.
#[case(SUS_022)]
async fn outcome(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let condition = all_of(vec![any_at("c"), any_at("a"), any_at("b")]);
    let args = world.suspending(condition, &["c", "a", "b"]);
    let expected: Vec<WaitpointId> = args.waitpoints.iter().map(id_of).collect();
    let suspended = world.suspended_by(claimed, args.clone()).await?;
    let details = &suspended.details;
    expect_eq!(details.suspension_id, args.suspension_id, "the suspension");
    let seen: Vec<_> = suspended.targets().iter().map(|target| target.waitpoint).collect();
    expect_eq!(seen, expected, "the waitpoints");
    let others = details.additional_waitpoints.iter().map(|other| other.waitpoint_key.as_str());
    let keys: Vec<&str> = std::iter::once(&*details.waitpoint_key).chain(others).collect();
    expect_eq!(keys, ["c", "a", "b"], "their keys");
    for target in suspended.targets() {
        let key = world.partition_key_of(&suspended.id);
        let stored = world.read_waitpoint_token(key, &target.waitpoint).await?;
        expect_eq!(stored.as_deref(), Some(target.token.as_str()), "the token");
    }
    expect_eq!(suspended.instead.kind, HandleKind::Suspended, "the handle's kind");
    let refused = "state.already_suspended";
    expect_refused!(world.renew(&suspended.instead).await, refused);
    let again = world.suspend(&suspended.instead, world.plain_suspension()).await;
    expect_refused!(again, refused);
    Ok(())
}

fn id_of(binding: &WaitpointBinding) -> WaitpointId {
    match binding {
        WaitpointBinding::UsePending { waitpoint_id }
        | WaitpointBinding::Fresh { waitpoint_id, .. } => *waitpoint_id,
        other => panic!("{other:?} is no binding"),
    }
}

/// Every reason.
#[case(SUS_017)]
async fn reasons(world: World) -> Verdict {
    use SuspensionReasonCode as Reason;

    world.sign().await?;
    for (reason, shown) in [
        (Reason::WaitingForSignal, "waiting_for_signal"),
        (Reason::StepBoundary, "waiting_for_signal"),
        (Reason::WaitingForApproval, "waiting_for_approval"),
        (Reason::WaitingForCallback, "waiting_for_callback"),
        (Reason::WaitingForToolResult, "waiting_for_tool_result"),
        (Reason::WaitingForOperatorReview, "paused_by_operator"),
        (Reason::ManualPause, "paused_by_operator"),
        (Reason::PausedByPolicy, "paused_by_policy"),
        (Reason::PausedByBudget, "waiting_for_budget"),
    ] {
        let claimed = world.claimed().await?;
        let mut args = world.plain_suspension();
        args.reason_code = reason;
        let suspended = world.suspended_by(claimed, args).await?;
        world.expect_fields(&suspended.id, [("blocking_reason", shown)]).await?;
    }
    Ok(())
}

/// Waitpoints that do not go together, too many, and as many as there may be.
#[case(SUS_007)]
async fn waitpoints(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let pending = world.pending(&claimed, "early").await?;
    let pending = WaitpointBinding::UsePending { waitpoint_id: pending.waitpoint };
    let fresh = |key: &str| world.fresh(key);
    let one = fresh("a");
    let same_id = WaitpointBinding::Fresh { waitpoint_id: id_of(&one), waitpoint_key: "b".into() };
    let many: Vec<String> = (0..65).map(|number| format!("wp {number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let all = |keys: &[&str]| all_of(keys.iter().map(|key| any_at(key)).collect());
    let wrong: [(&str, Vec<WaitpointBinding>, ResumeCondition); 8] = [
        ("none", vec![], any_at("a")),
        ("two keys", vec![one.clone(), fresh("a")], any_at("a")),
        ("two ids", vec![one.clone(), same_id], all(&["a", "b"])),
        ("an empty key", vec![fresh("")], any_at("")),
        ("U+0000", vec![fresh("a\0")], any_at("a\0")),
        ("a long key", vec![fresh(&"a".repeat(257))], any_at(&"a".repeat(257))),
        ("beside a pending one", vec![one, pending], all(&["a", "early"])),
        ("65", many.iter().map(|key| fresh(key)).collect(), all(&many)),
    ];
    for (what, bindings, condition) in wrong {
        let mut args = world.suspending(condition, &[]);
        args.waitpoints = bindings;
        let answer = world.suspend(&claimed.1, args).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    let args = world.suspending(all(&many[..64]), &many[..64]);
    world.suspended_by(claimed, args).await?;
    Ok(())
}

/// Long ago, and a moment ago.
#[case(SUS_009)]
async fn timeouts(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let args = world.plain_suspension();
    let late = args.clone().with_timeout(world.in_ms(-660_000), TimeoutBehavior::Cancel);
    let answer = world.suspend(&claimed.1, late).await;
    expect_refused!(answer, "validation.invalid_input");
    let late = args.with_timeout(world.in_ms(-590_000), TimeoutBehavior::Cancel);
    let suspended = world.suspended_by(claimed, late).await?;
    world.expire(&suspended.id).await?;
    world.expect_fields(&suspended.id, [("public_state", "cancelled")]).await
}

/// The policy's timeout, and that of the arguments.
#[case(SUS_044)]
async fn policy(world: World) -> Verdict {
    world.sign().await?;
    let policy =
        SuspensionPolicy { default_timeout_ms: Some(50), timeout_behavior: "cancel".to_owned() };
    let execution = || world.execution().policy(|p| p.suspension_policy = Some(policy.clone()));
    let claimed = execution().claimed().await?;
    let args = world.suspending(ResumeCondition::TimeoutOnly, &["wp"]);
    let by_policy = world.suspended_by(claimed, args).await?;
    let claimed = execution().claimed().await?;
    let args = world.plain_suspension();
    let args = args.with_timeout(world.in_ms(60_000), TimeoutBehavior::Expire);
    let by_itself = world.suspended_by(claimed, args).await?;
    world.pass_ms(50).await?;
    for (suspended, state) in [(&by_policy, "cancelled"), (&by_itself, "suspended")] {
        world.expire(&suspended.id).await?;
        world.expect_fields(&suspended.id, [("public_state", state)]).await?;
    }
    Ok(())
}

/// One that is pending, active or closed, of this execution or of another.
#[case(SUS_026)]
async fn known_ids(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let pending = world.pending(&claimed, "early").await?;
    let other = world.execution_in(claimed.0.partition());
    let other = world.suspended_by(other.claimed().await?, world.plain_suspension()).await?;
    let reuse = |waitpoint_id| {
        let mut args = world.plain_suspension();
        args.waitpoints =
            vec![WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "wp".to_owned() }];
        args
    };
    let before = world.observe(&claimed.0).await?;
    for _ in 0..2 {
        for known in [pending.waitpoint, other.details.waitpoint_id] {
            let answer = world.suspend(&claimed.1, reuse(known)).await;
            expect_refused!(answer, "conflict.waitpoint_already_exists");
        }
        // What was active is closed now.
        world.cancel_execution(crate::stage::cancellation(&other.id)).await?;
    }
    expect_eq!(world.observe(&claimed.0).await?, before, "nothing has changed");
    Ok(())
}

/// It becomes active under its token; unknown ones, and those that are taken.
#[case(SUS_024)]
async fn pending(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let pending = world.pending(&claimed, "wp").await?;
    let nobody =
        crate::stage::Target { waitpoint: WaitpointId::from_uuid(world.uuid()), ..pending.clone() };
    let unknown = world.suspend(&claimed.1, world.taking(&nobody, "wp")).await;
    expect_refused!(unknown, "contention.waitpoint_not_found");
    let kept = world.pending(&claimed, "kept").await?;
    world.expect_effect(world.signal(&kept), "buffered_for_pending_waitpoint").await?;
    let met = world.suspend(&claimed.1, world.taking(&kept, "kept")).await?;
    expect!(matches!(met, SuspendOutcome::AlreadySatisfied { .. }), "{met:?}");
    let closed = world.suspend(&claimed.1, world.taking(&kept, "kept")).await;
    expect_refused!(closed, "state.waitpoint_not_pending", "closed");
    let suspended = world.suspended_by(claimed, world.taking(&pending, "wp")).await?;
    expect_eq!(suspended.target(), pending, "id and token");
    let listed = world.waitpoints(&suspended.id).await?;
    let listed: Vec<_> = listed.iter().map(|entry| &*entry.state).collect();
    expect_eq!(listed, ["active"], "what is listed");
    world.expect_effect(world.signal(&pending), "resume_condition_satisfied").await?;
    Ok(())
}

/// Not enough, then enough, by name and in all parts.
#[case(SUS_025)]
async fn kept_signals(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    let kept = "buffered_for_pending_waitpoint";
    let mut ids = Vec::new();
    for name in ["other", "one", "one"] {
        ids.push(world.expect_effect(world.signal_named(&target, name), kept).await?);
    }
    let mut args = world.taking(&target, "wp");
    args.resume_condition = all_of(vec![named_at("one", "wp"), named_at("two", "wp")]);
    let second = world.pending(&claimed, "wp").await?;
    for name in ["two", "one"] {
        ids.push(world.expect_effect(world.signal_named(&second, name), kept).await?);
    }
    let mut met = args.clone();
    met.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id: second.waitpoint }];
    let before = world.observe(&claimed.0).await?;
    let outcome = world.suspend(&claimed.1, met).await?;
    let SuspendOutcome::AlreadySatisfied { details } = outcome else {
        return Err(Failure::new(format!("it is met already, not {outcome:?}")));
    };
    expect_eq!(details.waitpoint_id, second.waitpoint, "the waitpoint");
    expect_eq!(world.observe(&claimed.0).await?, before, "the execution stays as it is");
    world.renew(&claimed.1).await?;
    let late = world.deliver_signal(world.signal(&second)).await;
    expect_refused!(late, "state.waitpoint_closed", "the waitpoint is closed");
    let mut seen = world.observed(&claimed.1).await?;
    seen.sort();
    let mut expected = ids[3..].to_vec();
    expected.sort();
    expect_eq!(seen, expected, "what counted");

    let suspended = world.suspended_by(claimed, args).await?;
    let effect = "appended_to_waitpoint_duplicate";
    world.expect_effect(world.signal_named(&target, "one"), effect).await?;
    let effect = "resume_condition_satisfied";
    world.expect_effect(world.signal_named(&target, "two"), effect).await?;
    world.expect_fields(&suspended.id, [("public_state", "resumable")]).await
}

fn keyed(args: SuspendArgs, key: &str) -> SuspendArgs {
    args.with_idempotency_key(IdempotencyKey::new(key))
}

/// By either method, under another lease, with other arguments, suspended or ended; not of another execution.
#[case(SUS_019)]
async fn keys(world: World) -> Verdict {
    let (id, handle) = world.signing().await?;
    let fence = world.fence_of(&id).await?;
    let first = world.suspend(&handle, keyed(world.plain_suspension(), "key")).await?;
    let again = || keyed(world.plain_suspension(), "key");
    let before = world.observe(&id).await?;
    expect_eq!(world.suspend(&handle, again()).await?, first, "suspended");
    let by_triple = world.suspend_by_triple(id.clone(), fence.clone(), again()).await?;
    expect_eq!(by_triple, first, "by the fence");
    let foreign = ff_core::types::LeaseFence {
        lease_epoch: ff_core::types::LeaseEpoch::new(9),
        ..fence.clone()
    };
    let by_another = world.suspend_by_triple(id.clone(), foreign, again()).await?;
    expect_eq!(by_another, first, "by another lease");
    expect_eq!(world.observe(&id).await?, before, "nothing has changed");
    world.resume(&id).await?;
    expect_eq!(world.suspend(&handle, again()).await?, first, "resumed");
    world.cancel_execution(crate::stage::cancellation(&id)).await?;
    expect_eq!(world.suspend(&handle, again()).await?, first, "ended");
    let other = world.claimed().await?;
    let other = world.suspend(&other.1, again()).await?;
    expect!(other != first, "the key is another's");

    // A call that failed leaves no key.
    let third = world.claimed().await?;
    let mut wrong = again();
    wrong.waitpoints =
        vec![WaitpointBinding::UsePending { waitpoint_id: WaitpointId::from_uuid(world.uuid()) }];
    expect_refused!(world.suspend(&third.1, wrong).await, "contention.waitpoint_not_found");
    world.suspended_by(third, again()).await?;
    Ok(())
}

/// Until a minute after the timeout, to the millisecond; an empty one is none.
#[case(SUS_046, needs(clock))]
async fn kept_keys(world: World) -> Verdict {
    world.sign().await?;
    let day = 86_400_000_u64;
    for (timeout, kept) in
        [(Some(5_000), 65_000), (None, 7 * day), (Some(8 * day.cast_signed()), 7 * day)]
    {
        let (id, handle) = world.claimed().await?;
        let suspending = || {
            let args = keyed(world.plain_suspension(), "key");
            match timeout {
                Some(millis) => args.with_timeout(world.in_ms(millis), TimeoutBehavior::Escalate),
                None => args,
            }
        };
        let first = world.suspend(&handle, suspending()).await?;
        world.pass_ms(kept - 1).await?;
        expect_eq!(world.suspend(&handle, suspending()).await?, first, "{timeout:?}: remembered");
        world.pass_ms(1).await?;
        let answer = world.suspend(&handle, suspending()).await;
        expect_refused!(answer, "contention.lease_conflict", "{timeout:?}: forgotten");
        world.cancel_execution(crate::stage::cancellation(&id)).await?;
    }
    let (_, handle) = world.claimed().await?;
    world.suspend(&handle, keyed(world.plain_suspension(), "")).await?;
    let other = world.suspend(&handle, keyed(world.plain_suspension(), "")).await;
    expect_refused!(other, "contention.lease_conflict", "an empty key");
    Ok(())
}

/// The same call again; other arguments; the same after a resumption and under a retry's lease.
#[case(SUS_018)]
async fn repeated(world: World) -> Verdict {
    world.sign().await?;
    let (id, handle) = world.execution().retries(1, 0).claimed().await?;
    let args = world.plain_suspension();
    let first = world.suspend(&handle, args.clone()).await?;
    let before = world.observe(&id).await?;
    let mut later = args.clone();
    later.now = TimestampMs(7);
    expect_eq!(world.suspend(&handle, later).await?, first, "with another time");
    let other = world.suspend(&handle, world.plain_suspension()).await;
    expect_refused!(other, "contention.lease_conflict", "with other arguments");
    expect_eq!(world.observe(&id).await?, before, "nothing has changed");
    world.resume(&id).await?;
    expect_eq!(world.suspend(&handle, args.clone()).await?, first, "resumed");
    world.cancel_execution(crate::stage::cancellation(&id)).await?;
    let ended = world.suspend(&handle, args).await;
    expect_refused!(ended, "contention.execution_not_active", "ended by another call");
    Ok(())
}

/// Sixteen with a key, and sixteen without.
#[case(SUS_020, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    world.sign().await?;
    for key in ["key", ""] {
        let (_, handle) = world.claimed().await?;
        let calls = (0..16).map(|_| {
            let (world, handle) = (world.clone(), handle.clone());
            let args = keyed(world.plain_suspension(), key);
            tokio::spawn(async move { world.suspend(&handle, args).await })
        });
        let mut outcomes: Vec<Result<SuspendOutcome, EngineError>> = Vec::new();
        for answer in join_all(calls.collect::<Vec<_>>()).await {
            outcomes.push(answer.map_err(|died| Failure::new(died.to_string()))?);
        }
        let suspended: Vec<_> =
            outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        if key.is_empty() {
            expect_eq!(suspended.len(), 1, "one suspends");
            for refused in outcomes.iter().filter(|outcome| outcome.is_err()) {
                expect_refused!(refused, "contention.lease_conflict");
            }
        } else {
            expect_eq!(suspended.len(), 16, "all have an outcome");
            expect!(suspended.iter().all(|one| *one == suspended[0]), "it is the same one");
        }
    }
    Ok(())
}

/// The fence of the lease, of another, of a lease that has lapsed, and of an unknown execution.
#[case(SUS_027)]
async fn by_triple(world: World) -> Verdict {
    world.sign().await?;
    let (id, handle) = world.execution().retries(2, 0).claimed().await?;
    let fence = world.fence_of(&id).await?;
    let nobody =
        world.suspend_by_triple(world.execution_id(), fence.clone(), world.plain_suspension());
    expect_refused!(nobody.await, "not_found.execution");
    for part in 0..3 {
        let mut wrong = fence.clone();
        match part {
            0 => wrong.lease_id = ff_core::types::LeaseId::from_uuid(world.uuid()),
            1 => wrong.lease_epoch = wrong.lease_epoch.next(),
            _ => wrong.attempt_id = ff_core::types::AttemptId::from_uuid(world.uuid()),
        }
        let answer = world.suspend_by_triple(id.clone(), wrong, world.plain_suspension()).await;
        expect_refused!(answer, "state.stale_lease", "part {part}");
    }
    world.renew(&handle).await?;
    let args = world.plain_suspension();
    let outcome = world.suspend_by_triple(id.clone(), fence.clone(), args.clone()).await?;
    let SuspendOutcome::Suspended { handle: instead, details } = outcome.clone() else {
        return Err(Failure::new(format!("it is suspended, not {outcome:?}")));
    };
    expect_eq!(instead.kind, HandleKind::Suspended, "the handle's kind");
    expect_eq!(details.suspension_id, args.suspension_id, "the suspension");
    world.expect_fields(&id, [("public_state", "suspended")]).await?;
    let again = world.suspend_by_triple(id.clone(), fence, args).await?;
    expect_eq!(again, outcome, "again");
    let target = crate::stage::Target {
        execution: id.clone(),
        waitpoint: details.waitpoint_id,
        token: details.waitpoint_token.token().clone(),
    };
    let signal: DeliverSignalArgs = world.signal(&target);
    let signal_id = world.expect_effect(signal, "resume_condition_satisfied").await?;
    expect_eq!(world.observed(&instead).await?, [signal_id], "what counted");

    let id = world.execution().create().await?;
    world.worker().ttl(50).claim().await?;
    let fence = world.fence_of(&id).await?;
    world.pass_ms(50).await?;
    let late = world.suspend_by_triple(id.clone(), fence, world.plain_suspension()).await;
    expect_refused!(late, "state.lease_expired");
    Ok(())
}
