//! Starting a new attempt of one execution: by a grant, or as an operator.

use ff_core::backend::{FailureClass, HandleKind};
use ff_core::contracts::{
    ClaimExecutionArgs, ClaimedExecution, IssueGrantAndClaimArgs, RenewLeaseArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::AttemptType;
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use futures_util::future::join_all;

use crate::stage::{Failure, Graph, Verdict, World, case};

const NOT_NOW: &str = "contention.execution_not_leaseable";
const NO_GRANT: &str = "contention.invalid_claim_grant";

/// What is spoilt in arguments, and how.
type Spoilt = (&'static str, fn(&mut ClaimExecutionArgs));

fn with(
    mut args: ClaimExecutionArgs,
    change: impl FnOnce(&mut ClaimExecutionArgs),
) -> ClaimExecutionArgs {
    change(&mut args);
    args
}

impl World {
    /// A new execution with a grant for a minute.
    async fn granted_anew(&self) -> Result<ExecutionId, Failure> {
        let id = self.execution().create().await?;
        self.granted(&id).await?;
        Ok(id)
    }

    /// Executions in every state but WAIT.
    async fn not_waiting(&self) -> Result<Vec<ExecutionId>, Failure> {
        let delayed = self.execution().delay_until(self.in_ms(60_000)).create().await?;
        let (active, _) = self.claimed().await?;
        let (over, handle) = self.claimed().await?;
        self.complete(&handle, None).await.map_err(Failure::setup_refused)?;
        let suspended = self.suspended().await?.id;
        let mut graph = Graph::new(self).await?;
        let (first, second) = (graph.member().await?, graph.member().await?);
        graph.depend(&first, &second).await?;
        let lapsed = self.execution().lane("lapsing").create().await?;
        self.worker().lane("lapsing").ttl(50).claim().await?;
        self.pass_ms(50).await?;
        Ok(vec![delayed, active, over, suspended, second, lapsed])
    }
}

/// The lease and the attempt are the caller's; the grant is used up.
#[case(CLM_020)]
async fn redeemed(world: World) -> Verdict {
    let id = world.execution().retries(3, 0).create().await?;
    for (round, epoch) in [(0, "1"), (1, "2")] {
        world.granted(&id).await?;
        world.pass_ms(10).await?;
        let at = world.now();
        let args = world.redeeming(&id);
        let args = with(args, |args| args.expected_attempt_index = AttemptIndex::new(round));
        let claimed = world.redeem(args.clone()).await?;
        let expected = [
            ("lifecycle_phase", Some("active".to_owned())),
            ("public_state", Some("active".to_owned())),
            ("ownership_state", Some("leased".to_owned())),
            ("blocking_reason", None),
            ("attempt_state", Some("running_attempt".to_owned())),
            ("current_attempt_id", Some(args.attempt_id.to_string())),
            ("current_attempt_index", Some(round.to_string())),
            ("total_attempt_count", Some((round + 1).to_string())),
            ("current_lease_id", Some(args.lease_id.to_string())),
            ("current_lease_epoch", Some(epoch.to_owned())),
            ("current_worker_id", Some("worker".to_owned())),
            ("current_worker_instance_id", Some("worker-1".to_owned())),
            ("lease_expires_at", Some(TimestampMs(at.0 + 30_000).to_string())),
        ];
        world.expect_fields(&id, expected).await?;
        world.fail_with(&claimed.handle, FailureClass::Transient).await?;
        world.promote(&id).await?;
        let next = AttemptIndex::new(round + 1);
        let again = with(world.redeeming(&id), |args| args.expected_attempt_index = next);
        expect_refused!(world.redeem(again).await, NO_GRANT, "the grant is used up");
    }
    Ok(())
}

impl World {
    /// Asserts that what was claimed is shown.
    async fn expect_begun(&self, claimed: &ClaimedExecution) -> Verdict {
        let snapshot = self.describe_execution(&claimed.execution_id).await?;
        let snapshot = snapshot.ok_or_else(|| Failure::new("it is described"))?;
        let lease = snapshot.current_lease.ok_or_else(|| Failure::new("its lease is shown"))?;
        let attempt =
            snapshot.current_attempt.ok_or_else(|| Failure::new("its attempt is shown"))?;
        expect_eq!(lease.lease_id, claimed.lease_id, "the lease");
        expect_eq!(lease.lease_epoch, claimed.lease_epoch, "its epoch");
        expect_eq!(lease.expires_at, claimed.lease_expires_at, "its end");
        expect_eq!(attempt.attempt_id, claimed.attempt_id, "the attempt");
        expect_eq!(attempt.attempt_index, claimed.attempt_index, "its index");
        Ok(())
    }
}

/// First, again after a failure, and again after the end.
#[case(CLM_021)]
async fn told(world: World) -> Verdict {
    let id = world.execution().retries(1, 0).create().await?;
    for (index, kind) in
        [AttemptType::Initial, AttemptType::Retry, AttemptType::Replay].into_iter().enumerate()
    {
        world.granted(&id).await?;
        let index = AttemptIndex::new(u32::try_from(index).unwrap_or_default());
        let args = with(world.redeeming(&id), |args| args.expected_attempt_index = index);
        let claimed = world.redeem(args.clone()).await?;
        expect_eq!(claimed.execution_id, id, "which");
        expect_eq!(claimed.lease_id, args.lease_id, "the lease is the caller's");
        expect_eq!(claimed.attempt_id, args.attempt_id, "so is the attempt");
        expect_eq!(claimed.attempt_index, index, "its index");
        expect_eq!(claimed.attempt_type, kind, "its kind");
        expect_eq!(claimed.handle.kind, HandleKind::Fresh, "the handle");
        world.expect_begun(&claimed).await?;
        world.renew(&claimed.handle).await?;
        if kind == AttemptType::Initial {
            world.fail_with(&claimed.handle, FailureClass::Transient).await?;
            world.promote(&id).await?;
        } else {
            world.complete(&claimed.handle, None).await?;
            world.replay(&id).await?;
        }
    }
    Ok(())
}

/// None, another worker's, one that has run out, and one that other calls were refused with.
#[case(CLM_022)]
async fn grants(world: World) -> Verdict {
    let none = world.execution().create().await?;
    expect_refused!(world.redeem(world.redeeming(&none)).await, NO_GRANT, "none");
    let lasts = world.granted_anew().await?;
    let other = |args: &mut ClaimExecutionArgs| args.worker_id = WorkerId::new("other");
    let answer = world.redeem(with(world.redeeming(&lasts), other)).await;
    expect_refused!(answer, NO_GRANT, "of another worker");
    let elsewhere = |args: &mut ClaimExecutionArgs| args.lane_id = LaneId::new("elsewhere");
    let answer = world.redeem(with(world.redeeming(&lasts), elsewhere)).await;
    expect!(answer.is_err(), "of another lane");
    let run_out = world.execution().create().await?;
    let mut brief = world.granting(&run_out);
    brief.grant_ttl_ms = 50;
    world.grant(brief).await.map_err(Failure::in_setup)?;
    world.pass_ms(50).await?;
    let answer = world.redeem(world.redeeming(&run_out)).await;
    expect_refused!(answer, "contention.claim_grant_expired", "one that has run out");
    let instance = |args: &mut ClaimExecutionArgs| {
        args.worker_instance_id = WorkerInstanceId::new("another");
    };
    world.redeem(with(world.redeeming(&lasts), instance)).await?;
    Ok(())
}

/// Unknown, in every state but WAIT, and with an attempt that goes on.
#[case(CLM_023)]
async fn refused(world: World) -> Verdict {
    let unknown = world.redeem(world.redeeming(&world.execution_id())).await;
    expect_refused!(unknown, "not_found.execution");
    for id in world.not_waiting().await? {
        let before = world.observe(&id).await?;
        expect_refused!(world.redeem(world.redeeming(&id)).await, NOT_NOW, "{id}");
        expect_eq!(world.observe(&id).await?, before, "what is shown of it");
    }
    let resumable = world.resumable().await?.id;
    world.granted(&resumable).await?;
    let before = world.observe(&resumable).await?;
    let answer = world.redeem(world.redeeming(&resumable)).await;
    expect_refused!(answer, "contention.use_claim_resumed_execution");
    expect_eq!(world.observe(&resumable).await?, before, "what is shown of it");
    world.go_on(world.going_on(&resumable)).await?;
    Ok(())
}

/// Eight at once by one grant.
#[case(CLM_024, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    let id = world.granted_anew().await?;
    let claims = (0..8).map(|_| world.redeem(world.redeeming(&id)));
    let answers = join_all(claims).await;
    let claimed = answers.iter().filter(|answer| answer.is_ok()).count();
    expect_eq!(claimed, 1, "claimed");
    for answer in answers.into_iter().filter(Result::is_err) {
        expect_refused!(answer, NOT_NOW, "the others");
    }
    Ok(())
}

/// Everything is wrong with the first call, and with each that follows one thing less.
#[case(CLM_025)]
async fn first_decides(world: World) -> Verdict {
    let (used, handle) = world.execution().retries(9, 0).claimed().await?;
    let fence = world.fence_of(&used).await?;
    let active = world.claimed().await?.0;
    let mut args = with(world.redeeming(&world.execution_id()), |args| {
        args.lease_ttl_ms = 0;
        args.lane_id = LaneId::new("elsewhere");
        args.expected_attempt_index = AttemptIndex::new(7);
        (args.lease_id, args.attempt_id) = (fence.lease_id, fence.attempt_id);
    });
    expect_refused!(world.redeem(args.clone()).await, "validation.invalid_input", "0 ms");
    args.lease_ttl_ms = 30_000;
    expect_refused!(world.redeem(args.clone()).await, "not_found.execution", "unknown");
    args.execution_id = active;
    expect_refused!(world.redeem(args.clone()).await, NOT_NOW, "active");
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.promote(&used).await?;
    args.execution_id = used.clone();
    expect_refused!(world.redeem(args.clone()).await, NO_GRANT, "without a grant");
    world.granted(&used).await?;
    let answer = world.redeem(args.clone()).await;
    expect_refused!(answer, "contention.execution_not_in_eligible_set", "of another lane");
    args.lane_id = world.lane_of(&used);
    expect_refused!(world.redeem(args.clone()).await, NOT_NOW, "not the next attempt");
    args.expected_attempt_index = AttemptIndex::new(1);
    let had = world.redeem(args.clone()).await;
    expect_refused!(had, "validation.invalid_input", "a lease id that it has had");
    args.lease_id = world.redeeming(&used).lease_id;
    let had = world.redeem(args.clone()).await;
    expect_refused!(had, "validation.invalid_input", "an attempt id that it has had");
    args.attempt_id = world.redeeming(&used).attempt_id;
    world.redeem(args).await?;
    Ok(())
}

/// An id that it has had long before.
#[case(CLM_025)]
async fn old_ids(world: World) -> Verdict {
    let (id, first) = world.execution().retries(9, 0).claimed().await?;
    let fence = world.fence_of(&id).await?;
    world.fail_with(&first, FailureClass::Transient).await?;
    world.promote(&id).await?;
    let second = world.worker().claim().await?;
    world.fail_with(&second, FailureClass::Transient).await?;
    world.promote(&id).await?;
    world.granted(&id).await?;
    let next = |args: &mut ClaimExecutionArgs| args.expected_attempt_index = AttemptIndex::new(2);
    let attempt = with(with(world.redeeming(&id), next), |args| args.attempt_id = fence.attempt_id);
    expect_refused!(world.redeem(attempt).await, "validation.invalid_input", "an attempt");
    let lease = with(with(world.redeeming(&id), next), |args| args.lease_id = fence.lease_id);
    expect_refused!(world.redeem(lease).await, "validation.invalid_input", "a lease");
    world.redeem(with(world.redeeming(&id), next)).await?;
    Ok(())
}

/// Arguments that no state makes good.
#[case(CLM_025)]
async fn arguments(world: World) -> Verdict {
    let id = world.granted_anew().await?;
    let bad: [Spoilt; 7] = [
        ("a TTL of 0", |args| args.lease_ttl_ms = 0),
        ("an attempt of 0 ms", |args| args.attempt_timeout_ms = Some(0)),
        ("a deadline at 0", |args| args.execution_deadline_at = Some(0)),
        ("a deadline before", |args| args.execution_deadline_at = Some(-1)),
        ("a nameless worker", |args| args.worker_id = WorkerId::new("")),
        ("a nameless instance", |args| args.worker_instance_id = WorkerInstanceId::new("")),
        ("a nameless lane", |args| args.lane_id = LaneId::new("")),
    ];
    for (what, spoil) in bad {
        let answer = world.redeem(with(world.redeeming(&id), spoil)).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    for policy in ["[]", "7", "policy"] {
        let spoil =
            |args: &mut ClaimExecutionArgs| policy.clone_into(&mut args.attempt_policy_json);
        let answer = world.redeem(with(world.redeeming(&id), spoil)).await;
        expect_refused!(answer, "validation.invalid_policy_json", "{policy}");
    }
    let policy = |args: &mut ClaimExecutionArgs| {
        args.attempt_policy_json = r#"{"any":"thing"}"#.to_owned();
    };
    world.redeem(with(world.redeeming(&id), policy)).await?;
    Ok(())
}

/// Given, and not.
#[case(CLM_026)]
async fn deadline(world: World) -> Verdict {
    let first = world.in_ms(80_000);
    let execution = world.execution().retries(1, 0);
    let id = execution.with(|args| args.execution_deadline_at = Some(first)).create().await?;
    world.granted(&id).await?;
    let claimed = world.redeem(world.redeeming(&id)).await?;
    world.expect_fields(&id, [("execution_deadline_at", first.to_string())]).await?;
    world.fail_with(&claimed.handle, FailureClass::Transient).await?;
    world.promote(&id).await?;
    world.granted(&id).await?;
    let second = world.in_ms(90_000);
    let args = with(world.redeeming(&id), |args| {
        args.expected_attempt_index = AttemptIndex::new(1);
        args.execution_deadline_at = Some(second.0);
    });
    world.redeem(args).await?;
    world.expect_fields(&id, [("execution_deadline_at", second.to_string())]).await
}

/// A new attempt, whatever it requires; then the same goes on.
#[case(CLM_027)]
async fn by_operator(world: World) -> Verdict {
    world.sign().await?;
    let id = world.execution().requires(&["gpu"]).create().await?;
    world.claim_as_operator(&id).await?;
    let expected = [
        ("public_state", "active"),
        ("attempt_state", "running_attempt"),
        ("current_attempt_index", "0"),
        ("total_attempt_count", "1"),
        ("current_lease_epoch", "1"),
    ];
    world.expect_fields(&id, expected).await?;
    let attempt = world.field(&id, "current_attempt_id").await?;
    let fence = world.fence_of(&id).await?;
    let suspension = world.plain_suspension();
    world.suspend_by_triple(id.clone(), fence, suspension).await.map_err(Failure::setup_refused)?;
    world.resume(&id).await.map_err(Failure::setup_refused)?;
    world.claim_as_operator(&id).await?;
    let expected = [
        ("public_state", Some("active".to_owned())),
        ("current_attempt_id", attempt),
        ("current_attempt_index", Some("0".to_owned())),
        ("total_attempt_count", Some("1".to_owned())),
        ("current_lease_epoch", Some("2".to_owned())),
    ];
    world.expect_fields(&id, expected).await?;
    expect_eq!(world.worker().try_claim().await?, None, "nothing is left to claim");
    Ok(())
}

/// What is answered is what is shown, and enough to end the attempt.
#[case(CLM_028)]
async fn operators_lease(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let claimed = world.claim_as_operator(&id).await?;
    let fence = world.fence_of(&id).await?;
    expect_eq!(claimed.lease_id, fence.lease_id, "the lease");
    expect_eq!(claimed.lease_epoch, fence.lease_epoch, "its epoch");
    expect_eq!(claimed.attempt_index, AttemptIndex::new(0), "its attempt");
    let until = world.due_in_ms(30_000).to_string();
    world.expect_fields(&id, [("lease_expires_at", until)]).await?;
    let renewal = RenewLeaseArgs {
        execution_id: id,
        attempt_index: claimed.attempt_index,
        fence: Some(fence),
        lease_history_grace_ms: 0,
        lease_ttl_ms: 60_000,
    };
    world.renew_lease(renewal).await?;
    Ok(())
}

/// Unknown, in every state but WAIT, granted, and of another lane.
#[case(CLM_029)]
async fn operator_refused(world: World) -> Verdict {
    let unknown = world.claim_as_operator(&world.execution_id()).await;
    expect_refused!(unknown, "not_found.execution");
    let granted = world.granted_anew().await?;
    let others = world.not_waiting().await?.into_iter().map(|id| (id, NOT_ELIGIBLE));
    let granted = std::iter::once((granted, "state.grant_already_exists"));
    for (id, code) in others.chain(granted) {
        let before = world.observe(&id).await?;
        expect_refused!(world.claim_as_operator(&id).await, code, "{id}");
        expect_eq!(world.observe(&id).await?, before, "what is shown of it");
    }
    let waiting = world.execution().create().await?;
    let args = IssueGrantAndClaimArgs::new(waiting.clone(), LaneId::new("elsewhere"), 30_000);
    let answer = world.issue_grant_and_claim(args).await;
    expect_refused!(answer, "contention.execution_not_in_eligible_set");
    expect_eq!(world.worker().claims().await?, Some(waiting), "it is still to be claimed");
    Ok(())
}

const NOT_ELIGIBLE: &str = "contention.execution_not_eligible";

/// In which order, and who holds it.
#[case(CLM_030)]
async fn operator_arguments(world: World) -> Verdict {
    let elsewhere = LaneId::new("elsewhere");
    let claim = |id: &ExecutionId, lane: &LaneId, millis: u64| {
        world.issue_grant_and_claim(IssueGrantAndClaimArgs::new(id.clone(), lane.clone(), millis))
    };
    let unknown = world.execution_id();
    expect_refused!(claim(&unknown, &elsewhere, 0).await, "validation.invalid_input", "0 ms");
    let nameless = claim(&unknown, &LaneId::new(""), 1).await;
    expect_refused!(nameless, "validation.invalid_input", "a nameless lane");
    expect_refused!(claim(&unknown, &elsewhere, 1).await, "not_found.execution", "unknown");
    let active = world.claimed().await?.0;
    expect_refused!(claim(&active, &elsewhere, 1).await, NOT_ELIGIBLE, "active");
    let granted = world.granted_anew().await?;
    let answer = claim(&granted, &elsewhere, 1).await;
    expect_refused!(answer, "state.grant_already_exists", "granted");
    let id = world.execution().create().await?;
    world.claim_as_operator(&id).await?;
    let holder = [("current_worker_id", "operator"), ("current_worker_instance_id", "operator")];
    world.expect_fields(&id, holder).await
}

/// Eight at once.
#[case(CLM_031, needs(concurrency))]
async fn operators_at_once(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let answers = join_all((0..8).map(|_| world.claim_as_operator(&id))).await;
    let claimed = answers.iter().filter(|answer| answer.is_ok()).count();
    expect_eq!(claimed, 1, "claimed");
    for answer in answers.into_iter().filter(Result::is_err) {
        expect_refused!(answer, NOT_ELIGIBLE, "the others");
    }
    Ok(())
}
