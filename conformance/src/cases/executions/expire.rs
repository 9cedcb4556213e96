//! Attempts and executions that are out of time.

use ff_core::contracts::{BlockingReason, ReclaimExecutionOutcome};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_backend::ExpirePhase::{AttemptTimeout, ExecutionDeadline};
use ff_core::policy::{BackoffStrategy, RetryPolicy};
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;

use crate::stage::{ExecutionBuilder, Failure, Graph, Verdict, World, case, revocation};

/// Longer than any case takes.
const LONG: u64 = 60_000;

impl World {
    /// A claim with a lease that outlives what these cases wait for.
    async fn begun(&self, execution: ExecutionBuilder) -> Result<ExecutionId, Failure> {
        let id = execution.create().await?;
        self.worker().ttl(600_000).claim().await?;
        Ok(id)
    }

    /// Asserts that neither limit has come, and that nothing has changed.
    async fn expect_in_time(&self, id: &ExecutionId, what: &str) -> Verdict {
        let before = self.observe(id).await?;
        for phase in [AttemptTimeout, ExecutionDeadline] {
            self.time_out(id, phase).await?;
        }
        expect_eq!(self.observe(id).await?, before, "{what}");
        Ok(())
    }

    /// Asserts that the attempt is out of time, and that there is no other.
    async fn expect_over(&self, id: &ExecutionId) -> Verdict {
        self.time_out(id, AttemptTimeout).await?;
        let expected = [
            ("lifecycle_phase", "terminal"),
            ("terminal_outcome", "expired"),
            ("public_state", "expired"),
            ("attempt_state", "attempt_terminal"),
        ];
        self.expect_fields(id, expected).await
    }

    /// Executions in every state but the terminal, all of which end by this deadline; with whether an attempt was
    /// started.
    async fn in_every_state(&self, until: i64) -> Result<Vec<(ExecutionId, bool)>, Failure> {
        let fresh = || {
            let deadline = self.in_ms(until);
            let laned = self.execution().lane(&format!("l{}", self.uuid().simple()));
            laned.retries(3, 0).deadline_at(deadline)
        };
        let waiting = fresh().create().await?;
        let delayed = fresh().delay_until(self.in_ms(60_000)).create().await?;
        let blocked = fresh().create().await?;
        self.block_execution_for_admission(
            self.blocking(&blocked, BlockingReason::WaitingForQuota),
        )
        .await
        .map_err(Failure::setup_refused)?;
        let granted = fresh().create().await?;
        self.granted(&granted).await?;
        let (held, _) = fresh().claimed().await?;
        let (revoked, _) = fresh().claimed().await?;
        self.revoke_lease(revocation(&revoked)).await.map_err(Failure::setup_refused)?;
        let lapsed = fresh().create().await?;
        let lane = self.lane_of(&lapsed);
        self.worker().lane(lane.as_str()).ttl(5).claim().await?;
        self.pass_ms(5).await?;
        self.mark_lapsed(&lapsed).await.map_err(Failure::setup_refused)?;
        self.sign().await?;
        let mut suspended = Vec::new();
        for _ in 0..2 {
            let claimed = fresh().claimed().await?;
            suspended.push(self.suspended_by(claimed, self.plain_suspension()).await?.id);
        }
        self.resume(&suspended[1]).await.map_err(Failure::setup_refused)?;
        let unstarted = [waiting, delayed, blocked, granted].map(|id| (id, false));
        let started = [held, revoked, lapsed].into_iter().chain(suspended).map(|id| (id, true));
        Ok(unstarted.into_iter().chain(started).collect())
    }
}

/// By the policy, however it is claimed; by the claim instead; and without a limit.
#[case(ATT_024)]
async fn time_of_an_attempt(world: World) -> Verdict {
    let short = || world.execution().attempts_of_ms(50);
    let claimed = world.begun(short()).await?;
    let redeemed = short().create().await?;
    world.granted(&redeemed).await?;
    world.redeem(world.redeeming(&redeemed)).await?;
    let shortened = world.execution().attempts_of_ms(LONG).create().await?;
    let lengthened = short().create().await?;
    for (id, millis) in [(&shortened, 50), (&lengthened, LONG)] {
        world.granted(id).await?;
        let mut args = world.redeeming(id);
        args.attempt_timeout_ms = Some(millis);
        world.redeem(args).await?;
    }
    let operated = short().create().await?;
    world.claim_as_operator(&operated).await?;
    let reclaimed = short().create().await?;
    world.worker().claim().await?;
    world.revoke_lease(revocation(&reclaimed)).await?;
    world.issue_reclaim_grant(world.regranting(&reclaimed)).await?;
    match world.reclaim_execution(world.reclaiming(&reclaimed)).await? {
        ReclaimExecutionOutcome::Claimed(_) => {}
        other => return Err(Failure::setup(&format!("it is taken over: {other:?}"))),
    }
    let unlimited = world.begun(world.execution()).await?;
    world.pass_ms(50).await?;
    for id in [claimed, redeemed, shortened, operated, reclaimed] {
        world.expect_over(&id).await?;
    }
    for id in [lengthened, unlimited] {
        world.expect_in_time(&id, "it has time left").await?;
    }
    Ok(())
}

/// A retry has all of the time again.
#[case(ATT_024, needs(clock))]
async fn from_its_start(world: World) -> Verdict {
    let id = world.begun(world.execution().attempts_of_ms(1_000).retries(1, 0)).await?;
    world.pass_ms(999).await?;
    world.expect_in_time(&id, "a millisecond early").await?;
    world.pass_ms(1).await?;
    world.time_out(&id, AttemptTimeout).await?;
    world.expect_fields(&id, [("attempt_state", "pending_retry_attempt")]).await?;
    world.pass_ms(5_000).await?;
    world.promote(&id).await?;
    world.worker().ttl(600_000).claim().await?;
    world.pass_ms(999).await?;
    world.expect_in_time(&id, "the second, a millisecond early").await?;
    world.pass_ms(1).await?;
    world.expect_over(&id).await
}

/// Every way to set an attempt aside and to go on with it.
#[case(ATT_037, needs(clock))]
async fn stands_still(world: World) -> Verdict {
    world.sign().await?;
    for how in ["suspension, claim", "suspension, token", "delay"] {
        let (id, handle) = world.execution().attempts_of_ms(1_000).claimed().await?;
        world.pass_ms(400).await?;
        match how {
            "delay" => world.delay(&handle, world.in_ms(10)).await?,
            _ => drop(world.suspended_by((id.clone(), handle), world.plain_suspension()).await?),
        }
        world.pass_ms(5_000).await?;
        world.expect_in_time(&id, &format!("{how}: it is set aside")).await?;
        match how {
            "delay" => world.promote(&id).await?,
            _ => {
                world.resume(&id).await?;
            }
        }
        world.pass_ms(5_000).await?;
        world.expect_in_time(&id, &format!("{how}: it has not gone on")).await?;
        match how {
            "delay" => {
                world.claim_as_operator(&id).await?;
            }
            "suspension, token" => {
                world.granted(&id).await?;
                world.claim_from_resume_grant(world.resume_token(&id)).await?;
            }
            _ => {
                world.granted(&id).await?;
                world.go_on(world.going_on(&id)).await?;
            }
        }
        world.pass_ms(599).await?;
        world.expect_in_time(&id, &format!("{how}: a millisecond early")).await?;
        world.pass_ms(1).await?;
        world.expect_over(&id).await?;
    }
    Ok(())
}

/// While it waits for what it depends on.
#[case(ATT_037, needs(clock))]
async fn stands_still_for_children(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let upstream = graph.member().await?;
    let id = graph.add(graph.execution().attempts_of_ms(1_000)).await?;
    let handle = graph.claim(&id).await?;
    world.pass_ms(400).await?;
    graph.depend(&upstream, &id).await?;
    world.wait_children(&handle).await?;
    world.pass_ms(5_000).await?;
    world.expect_in_time(&id, "it waits").await?;
    graph.end_and_cascade(&upstream, TerminalOutcome::Success).await?;
    world.claim_as_operator(&id).await?;
    world.pass_ms(599).await?;
    world.expect_in_time(&id, "a millisecond early").await?;
    world.pass_ms(1).await?;
    world.expect_over(&id).await
}

/// Lapsed and revoked.
#[case(ATT_037, needs(clock))]
async fn goes_on_without_a_holder(world: World) -> Verdict {
    for revokes in [false, true] {
        let id = world.execution().attempts_of_ms(1_000).create().await?;
        world.worker().ttl(100).claim().await?;
        world.pass_ms(100).await?;
        if revokes {
            world.revoke_lease(revocation(&id)).await?;
        } else {
            world.mark_lapsed(&id).await?;
        }
        world.pass_ms(899).await?;
        world.expect_in_time(&id, "a millisecond early").await?;
        world.pass_ms(1).await?;
        world.expect_over(&id).await?;
    }
    Ok(())
}

/// Less than is left, more, and of an attempt without a limit.
#[case(ATT_038, needs(clock))]
async fn shortened(world: World) -> Verdict {
    for (limit, given, has) in [(Some(1_000), 100, 100), (Some(1_000), 5_000, 600), (None, 50, 50)]
    {
        let execution = match limit {
            Some(millis) => world.execution().attempts_of_ms(millis),
            None => world.execution(),
        };
        let (id, handle) = execution.claimed().await?;
        world.pass_ms(400).await?;
        world.delay(&handle, world.in_ms(0)).await?;
        world.promote(&id).await?;
        world.granted(&id).await?;
        let mut args = world.going_on(&id);
        args.remaining_attempt_timeout_ms = Some(given);
        world.go_on(args).await?;
        world.pass_ms(has - 1).await?;
        world.expect_in_time(&id, "a millisecond early").await?;
        world.pass_ms(1).await?;
        world.expect_over(&id).await?;
    }
    Ok(())
}

/// Early, without a limit, set aside, and over.
#[case(ATT_025)]
async fn in_time(world: World) -> Verdict {
    let held = world.begun(world.execution().attempts_of_ms(LONG)).await?;
    let unlimited = world.begun(world.execution()).await?;
    let (over, handle) = world.execution().attempts_of_ms(5).claimed().await?;
    world.complete(&handle, None).await?;
    let ended = world.execution().deadline_at(world.in_ms(5)).create().await?;
    world.cancel_execution(crate::stage::cancellation(&ended)).await?;
    world.sign().await?;
    let claimed = world.execution().attempts_of_ms(50).claimed().await?;
    let suspended = world.suspended_by(claimed, world.plain_suspension()).await?.id;
    let waiting = world.execution().attempts_of_ms(5).create().await?;
    world.pass_ms(60).await?;
    let mut ids = vec![held, unlimited, over, ended, suspended, waiting];
    ids.extend(world.in_every_state(60_000).await?.into_iter().map(|(id, _)| id));
    for id in ids {
        world.expect_in_time(&id, "nothing is due of it").await?;
    }
    Ok(())
}

/// Held, lapsed and revoked; with a retry that the policy grants, and with one that it does not.
#[case(ATT_026)]
async fn attempt_over(world: World) -> Verdict {
    let retries = |categories: &[&str]| RetryPolicy {
        max_retries: 1,
        backoff: BackoffStrategy::Fixed { delay_ms: 60_000 },
        retryable_categories: categories.iter().map(|one| (*one).to_owned()).collect(),
    };
    let policies = [
        (None, false),
        (Some(retries(&[])), true),
        (Some(retries(&["timeout"])), true),
        (Some(retries(&["transient", "attempt_timeout"])), false),
        (Some(RetryPolicy { max_retries: 0, ..retries(&[]) }), false),
    ];
    for (policy, is_retried) in policies {
        for how in ["held", "lapsed", "revoked"] {
            let execution = world.execution().attempts_of_ms(50);
            let execution = match &policy {
                Some(policy) => execution.retry_policy(policy.clone()),
                None => execution,
            };
            let id = execution.create().await?;
            world.worker().ttl(if how == "lapsed" { 5 } else { 60_000 }).claim().await?;
            if how == "revoked" {
                world.revoke_lease(revocation(&id)).await?;
            }
            world.pass_ms(50).await?;
            if how == "lapsed" {
                world.mark_lapsed(&id).await?;
            }
            if !is_retried {
                world.expect_over(&id).await?;
                continue;
            }
            world.time_out(&id, AttemptTimeout).await?;
            let expected = [
                ("lifecycle_phase", "runnable"),
                ("ownership_state", "unowned"),
                ("eligibility_state", "not_eligible_until_time"),
                ("blocking_reason", "waiting_for_retry_backoff"),
                ("attempt_state", "pending_retry_attempt"),
                ("retry_count", "1"),
                ("public_state", "delayed"),
            ];
            world.expect_fields(&id, expected).await?;
        }
    }
    Ok(())
}

/// In every state, also where a retry would be left.
#[case(ATT_027)]
async fn deadline_over(world: World) -> Verdict {
    let executions = world.in_every_state(300).await?;
    world.pass_ms(300).await?;
    for (id, was_started) in executions {
        world.time_out(&id, ExecutionDeadline).await?;
        let attempt = if was_started { "attempt_terminal" } else { "none" };
        let expected = [
            ("lifecycle_phase", "terminal"),
            ("terminal_outcome", "expired"),
            ("public_state", "expired"),
            ("attempt_state", attempt),
            ("retry_count", "0"),
        ];
        world.expect_fields(&id, expected).await?;
    }
    Ok(())
}

/// Nothing of a lease, a delay, a block, a suspension or a grant, whatever has come.
#[case(ATT_028)]
async fn nothing_is_left(world: World) -> Verdict {
    let executions = world.in_every_state(300).await?;
    world.pass_ms(300).await?;
    for (id, _) in executions {
        world.time_out(&id, ExecutionDeadline).await?;
        let nothing = [
            ("ownership_state", Some("unowned")),
            ("current_lease_id", None),
            ("current_worker_instance_id", None),
            ("lease_expires_at", None),
            ("lease_expired_at", None),
            ("lease_revoked_at", None),
            ("delay_until", None),
            ("blocking_detail", None),
        ];
        world.expect_fields(&id, nothing).await?;
        let before = world.observe(&id).await?;
        world.promote(&id).await?;
        world.mark_lapsed(&id).await?;
        world.expire(&id).await?;
        expect_eq!(world.observe(&id).await?, before, "nothing more is to be done");
    }
    Ok(())
}

/// Who held it, and who was to take it over, with a retry and without.
#[case(ATT_028)]
async fn nobody_holds_it(world: World) -> Verdict {
    let over = "contention.execution_not_active";
    for retries in [0, 1] {
        let limited = || world.execution().attempts_of_ms(50).retries(retries, 60_000);
        let leased = world.leased_by(limited().claimed().await?).await?;
        let left = limited().create().await?;
        world.worker().claim().await?;
        world.revoke_lease(revocation(&left)).await?;
        world.issue_reclaim_grant(world.regranting(&left)).await?;
        world.pass_ms(50).await?;
        for id in [&leased.id, &left] {
            world.time_out(id, AttemptTimeout).await?;
        }
        expect_refused!(world.renew(&leased.handle).await, over, "a renewal");
        expect_refused!(world.complete(&leased.handle, None).await, over, "a completion");
        let renewed = world.renew_lease(leased.renewing()).await;
        expect_refused!(renewed, over, "a renewal by name");
        match world.reclaim_execution(world.reclaiming(&left)).await? {
            ReclaimExecutionOutcome::NotReclaimable { .. } => {}
            other => return Err(Failure::new(format!("it is not taken over, not {other:?}"))),
        }
    }
    Ok(())
}

/// Why it has ended.
#[case(ATT_039)]
async fn told(world: World) -> Verdict {
    let limited = world.begun(world.execution().attempts_of_ms(5).retries(1, 60_000)).await?;
    let over = world.execution().deadline_at(world.in_ms(5)).create().await?;
    world.pass_ms(5).await?;
    for (id, phase) in [(limited, AttemptTimeout), (over, ExecutionDeadline)] {
        world.time_out(&id, phase).await?;
        let expected = [("failure_reason", phase.as_str()), ("failure_category", "timeout")];
        world.expect_fields(&id, expected).await?;
    }
    Ok(())
}

/// Its holder completes it while it is held to its limit.
#[case(ATT_029, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    for number in 0..8 {
        let (id, handle) = world.execution().attempts_of_ms(5).claimed().await?;
        world.pass_ms(5).await?;
        let complete = world.complete(&handle, None);
        let expire = world.time_out(&id, AttemptTimeout);
        let (completed, expired) = if number % 2 == 0 {
            tokio::join!(complete, expire)
        } else {
            let (expired, completed) = tokio::join!(expire, complete);
            (completed, expired)
        };
        expired?;
        let outcome = if completed.is_ok() { "success" } else { "expired" };
        world.expect_fields(&id, [("terminal_outcome", outcome)]).await?;
    }
    Ok(())
}
