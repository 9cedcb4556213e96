//! Admission blocks, and lifting them.

use ff_core::backend::SuspensionReasonCode;
use ff_core::contracts::{
    BlockExecutionForAdmissionArgs, BlockExecutionForAdmissionOutcome, BlockRouteOutcome,
    BlockingReason,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, LaneId};

use crate::stage::{Failure, Verdict, World, case};

/// Every reason, with the state that it brings.
const REASONS: [(BlockingReason, &str, &str); 3] = [
    (BlockingReason::WaitingForBudget, "blocked_by_budget", "rate_limited"),
    (BlockingReason::WaitingForQuota, "blocked_by_quota", "rate_limited"),
    (BlockingReason::WaitingForCapableWorker, "blocked_by_route", "waiting"),
];

impl World {
    async fn block(
        &self,
        args: BlockExecutionForAdmissionArgs,
    ) -> Result<BlockExecutionForAdmissionOutcome, EngineError> {
        self.block_execution_for_admission(args).await
    }

    /// Asserts that neither call blocks it, and that nothing has changed.
    async fn expect_rejected(
        &self,
        args: BlockExecutionForAdmissionArgs,
        why: Option<&str>,
    ) -> Verdict {
        let id = args.execution_id.clone();
        let before = self.observe(&id).await?;
        let mut route = self.routing(&id);
        route.lane_id = args.lane_id.clone();
        let told = match self.block(args).await? {
            BlockExecutionForAdmissionOutcome::Rejected { message } => message,
            other => return Err(Failure::new(format!("{id} is not blocked, not {other:?}"))),
        };
        let again = match self.block_route(route).await? {
            BlockRouteOutcome::Rejected { message } => message,
            other => return Err(Failure::new(format!("{id} is not blocked, not {other:?}"))),
        };
        if let Some(why) = why {
            expect_eq!([told.as_str(), again.as_str()], [why, why], "why {id} is not blocked");
        }
        expect_eq!(self.observe(&id).await?, before, "what is shown of {id}");
        Ok(())
    }

    /// Those that nobody can block, with why.
    async fn unblockable(&self) -> Result<Vec<(ExecutionId, &'static str)>, Failure> {
        let delayed = self.execution().delay_until(self.in_ms(60_000)).create().await?;
        let (held, _) = self.claimed().await?;
        let (over, handle) = self.claimed().await?;
        self.complete(&handle, None).await.map_err(Failure::setup_refused)?;
        let suspended = self.suspended().await?.id;
        let not_eligible = [delayed, held, suspended].map(|id| (id, "execution_not_eligible"));
        let other = [(over, "execution_not_active"), (self.execution_id(), "execution_not_found")];
        Ok(not_eligible.into_iter().chain(other).collect())
    }
}

/// For every reason, whatever attempt it waits for, and with a grant.
#[case(SCH_007)]
async fn blocked(world: World) -> Verdict {
    for (reason, eligibility, public_state) in REASONS {
        let resumable = world.resumable().await?.id;
        let fresh = world.execution().create().await?;
        for (id, attempt) in [(fresh, "pending_first_attempt"), (resumable, "attempt_interrupted")]
        {
            world.granted(&id).await?;
            let answer = world.block(world.blocking(&id, reason)).await?;
            let execution_id = id.clone();
            let expected = BlockExecutionForAdmissionOutcome::Blocked { execution_id, reason };
            expect_eq!(answer, expected, "the answer");
            let expected = [
                ("lifecycle_phase", "runnable"),
                ("ownership_state", "unowned"),
                ("eligibility_state", eligibility),
                ("blocking_reason", reason.reason_code()),
                ("attempt_state", attempt),
                ("public_state", public_state),
            ];
            world.expect_fields(&id, expected).await?;
            expect_eq!(world.worker().try_claim().await?, None, "it is blocked");
            let blocked = "contention.execution_not_leaseable";
            let resumes = attempt == "attempt_interrupted";
            let claim = || async {
                if resumes {
                    world.go_on(world.going_on(&id)).await.map(drop)
                } else {
                    world.redeem(world.redeeming(&id)).await.map(drop)
                }
            };
            expect_refused!(claim().await, blocked, "by its grant");
            world.unblock(&id, reason.reason_code()).await?;
            claim().await?;
        }
    }
    Ok(())
}

/// The call of its own for a missing worker.
#[case(SCH_007)]
async fn routes(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let answer = world.block_route(world.routing(&id)).await?;
    expect_eq!(answer, BlockRouteOutcome::Blocked { execution_id: id.clone() });
    let expected = [
        ("eligibility_state", "blocked_by_route"),
        ("blocking_reason", "waiting_for_capable_worker"),
        ("attempt_state", "pending_first_attempt"),
        ("public_state", "waiting"),
    ];
    world.expect_fields(&id, expected).await?;
    expect_eq!(world.worker().try_claim().await?, None, "it is blocked");
    Ok(())
}

/// In every other state, and for another reason.
#[case(SCH_008)]
async fn rejected(world: World) -> Verdict {
    for (id, _) in world.unblockable().await? {
        for (reason, ..) in REASONS {
            world.expect_rejected(world.blocking(&id, reason), None).await?;
        }
    }
    let id = world.execution().create().await?;
    world.block(world.blocking(&id, BlockingReason::WaitingForQuota)).await?;
    let other = world.blocking(&id, BlockingReason::WaitingForBudget);
    world.expect_rejected(other, None).await
}

/// Why, and what decides first.
#[case(SCH_009)]
async fn messages(world: World) -> Verdict {
    let elsewhere = |id: &ExecutionId| {
        let mut args = world.blocking(id, BlockingReason::WaitingForBudget);
        args.lane_id = LaneId::new("elsewhere");
        args
    };
    for (id, why) in world.unblockable().await? {
        world.expect_rejected(elsewhere(&id), Some(why)).await?;
    }
    let id = world.execution().create().await?;
    world.expect_rejected(elsewhere(&id), Some("execution_not_in_eligible_set")).await
}

/// Details, and a block again.
#[case(SCH_010)]
async fn details(world: World) -> Verdict {
    let reason = BlockingReason::WaitingForBudget;
    for (detail, shown) in [(Some("spent"), Some("spent")), (Some(""), None), (None, None)] {
        let id = world.execution().create().await?;
        let mut args = world.blocking(&id, reason);
        args.reason_detail = detail.map(str::to_owned);
        let first = world.block(args.clone()).await?;
        world.expect_fields(&id, [("blocking_detail", shown)]).await?;
        let before = world.observe(&id).await?;
        world.pass_ms(2).await?;
        args.reason_detail = Some("more".to_owned());
        expect_eq!(world.block(args).await?, first, "again");
        expect_eq!(world.observe(&id).await?, before, "what is shown of it");
        world.unblock(&id, reason.reason_code()).await?;
        world.expect_fields(&id, [("blocking_detail", None::<&str>)]).await?;
    }
    let id = world.execution().create().await?;
    world.block_route(world.routing(&id)).await?;
    let before = world.observe(&id).await?;
    world.pass_ms(2).await?;
    let mut again = world.routing(&id);
    again.reason_detail = "more".to_owned();
    world.block_route(again).await?;
    expect_eq!(world.observe(&id).await?, before, "blocked again");
    Ok(())
}

/// Words that this call does not block for.
#[case(SCH_011)]
async fn codes(world: World) -> Verdict {
    for code in ["", "waiting_for_budget", "Waiting_For_Capable_Worker", "busy"] {
        for id in [world.execution_id(), world.execution().create().await?] {
            let mut args = world.routing(&id);
            args.reason_code = code.to_owned();
            let answer = world.block_route(args).await;
            expect_refused!(answer, "validation.invalid_blocking_reason", "{code:?}");
        }
    }
    Ok(())
}

/// Each at its place, for the attempt that it waited for.
#[case(SCH_012)]
async fn lifted(world: World) -> Verdict {
    let mut expected = Vec::new();
    for (reason, ..) in REASONS {
        let id = world.execution().retries(1, 0).create().await?;
        let handle = world.worker().claim().await?;
        world.fail_with(&handle, ff_core::backend::FailureClass::Transient).await?;
        world.promote(&id).await?;
        world.block(world.blocking(&id, reason)).await?;
        world.pass_ms(2).await?;
        expected.push(id);
    }
    let youngest = world.execution().retries(1, 0).create().await?;
    for (id, (reason, ..)) in expected.iter().zip(REASONS).rev() {
        world.unblock(id, reason.reason_code()).await?;
        let waits = [
            ("eligibility_state", "eligible_now"),
            ("blocking_reason", "waiting_for_worker"),
            ("attempt_state", "pending_retry_attempt"),
        ];
        world.expect_fields(id, waits).await?;
    }
    expected.push(youngest);
    expect_eq!(world.worker().drains().await?, expected, "by age");
    Ok(())
}

/// Another reason, another state, and lifted already.
#[case(SCH_013)]
async fn not_lifted(world: World) -> Verdict {
    let other = "contention.execution_not_eligible";
    let waiting = world.execution().create().await?;
    let blocked = world.execution().create().await?;
    world.block(world.blocking(&blocked, BlockingReason::WaitingForBudget)).await?;
    let mut cases = vec![(waiting, "waiting_for_budget"), (blocked, "waiting_for_quota")];
    let known = world.unblockable().await?.into_iter().map(|(id, _)| id);
    let mut known: Vec<_> = known.collect();
    known.pop();
    let claimed = world.claimed().await?;
    let mut paused = world.plain_suspension();
    paused.reason_code = SuspensionReasonCode::PausedByBudget;
    cases.push((world.suspended_by(claimed, paused).await?.id, "waiting_for_budget"));
    cases.extend(known.into_iter().map(|id| (id, "waiting_for_capable_worker")));
    for (id, reason) in cases {
        let before = world.observe(&id).await?;
        expect_refused!(world.unblock(&id, reason).await, other, "{reason}");
        expect_eq!(world.observe(&id).await?, before, "what is shown of it");
    }
    let id = world.execution().create().await?;
    world.block_route(world.routing(&id)).await?;
    world.unblock(&id, "waiting_for_capable_worker").await?;
    let again = world.unblock(&id, "waiting_for_capable_worker").await;
    expect_refused!(again, other, "it is lifted");
    Ok(())
}

/// Words that this call does not lift blocks for.
#[case(SCH_014)]
async fn reasons(world: World) -> Verdict {
    let delayed = world.execution().delay_until(world.in_ms(60_000)).create().await?;
    let suspended = world.suspended().await?.id;
    for id in [delayed, suspended, world.execution_id()] {
        for reason in [
            "",
            "waiting_for_delay",
            "waiting_for_signal",
            "waiting_for_children",
            "paused_by_operator",
        ] {
            let answer = world.unblock(&id, reason).await;
            expect_refused!(answer, "validation.invalid_blocking_reason", "{reason:?}");
        }
    }
    Ok(())
}
