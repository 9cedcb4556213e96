//! Keeping an execution for a worker.

use std::collections::BTreeSet;
use std::time::Duration;

use ff_core::contracts::IssueClaimGrantArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use futures_util::future::join_all;

use crate::stage::{Failure, Graph, Verdict, World, case};

/// What is spoilt in arguments, and how.
type Spoilt = (&'static str, fn(&mut IssueClaimGrantArgs));

/// A grant for so many milliseconds.
fn lasting(args: IssueClaimGrantArgs, grant_ttl_ms: u64) -> IssueClaimGrantArgs {
    with(args, |args| args.grant_ttl_ms = grant_ttl_ms)
}

/// To a worker that offers these.
fn offering(args: IssueClaimGrantArgs, tokens: &[&str]) -> IssueClaimGrantArgs {
    let offered: BTreeSet<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
    with(args, |args| args.worker_capabilities = offered)
}

fn with(
    mut args: IssueClaimGrantArgs,
    change: impl FnOnce(&mut IssueClaimGrantArgs),
) -> IssueClaimGrantArgs {
    change(&mut args);
    args
}

/// Of an execution that nobody has begun, and of one that can go on.
#[case(CLM_013)]
async fn granted(world: World) -> Verdict {
    let fresh = world.execution().create().await?;
    let resumable = world.execution().lane("other").claimed().await?;
    world.sign().await?;
    let resumable = world.suspended_by(resumable, world.plain_suspension()).await?.id;
    world.resume(&resumable).await.map_err(Failure::setup_refused)?;
    for id in [fresh, resumable] {
        let before = world.observe(&id).await?;
        world.pass_ms(5).await?;
        world.grant(world.granting(&id)).await?;
        expect_eq!(world.observe(&id).await?, before, "what is shown of it");
    }
    Ok(())
}

/// What comes before is kept, what comes after is claimed, until the grant has run out.
#[case(CLM_014)]
async fn reserved(world: World) -> Verdict {
    let kept = world.execution().priority(9).create().await?;
    let free = world.execution().priority(5).create().await?;
    world.granted(&kept).await?;
    expect_eq!(world.worker().claims().await?, Some(free), "what comes after");
    expect_eq!(world.worker().claims().await?, None, "nothing else");
    let run_out = world.execution().priority(7).create().await?;
    world.grant(lasting(world.granting(&run_out), 50)).await.map_err(Failure::in_setup)?;
    let last = world.execution().priority(5).create().await?;
    world.pass_ms(50).await?;
    let order = world.worker().drains().await?;
    expect_eq!(order, [run_out, last], "once a grant has run out");
    Ok(())
}

/// A millisecond before it has run out, and then.
#[case(CLM_014, needs(clock))]
async fn to_the_millisecond(world: World) -> Verdict {
    let kept = world.execution().create().await?;
    world.grant(lasting(world.granting(&kept), 50)).await.map_err(Failure::in_setup)?;
    world.pass_ms(49).await?;
    expect_eq!(world.worker().claims().await?, None, "it still lasts");
    world.pass_ms(1).await?;
    expect_eq!(world.worker().claims().await?, Some(kept), "it has run out");
    Ok(())
}

/// 300 in one partition: the most urgent come first, and all are claimed.
#[case(CLM_014)]
async fn many_run_out(world: World) -> Verdict {
    let mut expected = Vec::new();
    for number in 0..300 {
        let id = world.execution_id_in(0);
        let priority = number % 7;
        world.execution().id(&id).priority(priority).create().await?;
        let args = lasting(world.granting(&id), 50);
        world.grant(args).await.map_err(Failure::in_setup)?;
        expected.push((-priority, id));
    }
    world.pass_ms(50).await?;
    let urgent: Vec<_> = expected.iter().filter(|(priority, _)| *priority == -6).collect();
    for _ in 0..urgent.len() {
        world.worker().finds_work().await?;
    }
    for (_, id) in &urgent {
        world.expect_fields(id, [("public_state", "active")]).await?;
    }
    let mut claimed = urgent.len();
    while world.worker().try_claim().await?.is_some() {
        claimed += 1;
        expect!(claimed <= expected.len(), "no more is claimed than there is");
    }
    expect_eq!(claimed, expected.len(), "all are claimed once");
    Ok(())
}

/// A claim that waits gets it when its grant has run out.
#[case(CLM_014, needs(concurrency))]
async fn waited_for(world: World) -> Verdict {
    let kept = world.execution().create().await?;
    world.grant(lasting(world.granting(&kept), 50)).await.map_err(Failure::in_setup)?;
    let waiting = world.worker().waiting(Duration::from_secs(20));
    let claim = tokio::spawn(async move { waiting.try_claim().await });
    tokio::task::yield_now().await;
    world.pass_ms(50).await?;
    let claimed = claim.await.map_err(|error| Failure::new(error.to_string()))??;
    expect!(claimed.is_some(), "the waiting claim has it");
    Ok(())
}

/// For its own worker, for another, and once it has run out.
#[case(CLM_015)]
async fn one(world: World) -> Verdict {
    let [lasts, run_out] = [world.execution().create().await?, world.execution().create().await?];
    let others = |id| with(world.granting(id), |args| args.worker_id = WorkerId::new("other"));
    world.grant(world.granting(&lasts)).await?;
    for args in [world.granting(&lasts), others(&lasts)] {
        let again = world.issue_claim_grant(args).await;
        expect_refused!(again, "state.grant_already_exists");
    }
    world.grant(lasting(world.granting(&run_out), 50)).await?;
    world.pass_ms(50).await?;
    world.grant(others(&run_out)).await?;
    expect_eq!(world.worker().claims().await?, None, "it is kept again");
    Ok(())
}

/// Eight at once.
#[case(CLM_015, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let grants = (0..8).map(|number| {
        let worker = WorkerId::new(format!("worker-{number}"));
        let args = with(world.granting(&id), |args| args.worker_id = worker);
        let world = world.clone();
        tokio::spawn(async move { world.issue_claim_grant(args).await })
    });
    let mut granted = 0;
    for grant in join_all(grants.collect::<Vec<_>>()).await {
        match grant.map_err(|panic| Failure::new(format!("a task died: {panic}")))? {
            Ok(_) => granted += 1,
            refused => expect_refused!(refused, "state.grant_already_exists"),
        }
    }
    expect_eq!(granted, 1, "granted");
    Ok(())
}

/// Tokens that it lacks, in case too; more than it needs are fine.
#[case(CLM_016)]
async fn unable(world: World) -> Verdict {
    let id = world.execution().requires(&["gpu", "zone"]).create().await?;
    let before = world.observe(&id).await?;
    for offered in [&[][..], &["gpu"], &["GPU", "zone"]] {
        let answer = world.issue_claim_grant(offering(world.granting(&id), offered)).await;
        expect_refused!(answer, "validation.capability_mismatch", "offering {offered:?}");
    }
    expect_eq!(world.observe(&id).await?, before, "what is shown of it");
    world.grant(offering(world.granting(&id), &["a", "gpu", "zone"])).await?;
    Ok(())
}

/// What is missing, in order.
#[case(CLM_017)]
async fn missing(world: World) -> Verdict {
    let id = world.execution().requires(&["zone", "gpu", "a", "B"]).create().await?;
    match world.issue_claim_grant(offering(world.granting(&id), &["gpu"])).await {
        Err(EngineError::Validation { detail, .. }) => {
            expect_eq!(detail, "B,a,zone", "the tokens that it lacks");
            Ok(())
        }
        other => Err(Failure::new(format!("it lacks tokens: {other:?}"))),
    }
}

/// Unknown, in every state but WAIT, and of another lane.
#[case(CLM_018)]
async fn refused(world: World) -> Verdict {
    let unknown = world.issue_claim_grant(world.granting(&world.execution_id())).await;
    expect_refused!(unknown, "not_found.execution");
    let later = world.in_ms(60_000);
    let delayed = world.execution().delay_until(later).create().await?;
    let (active, _) = world.claimed().await?;
    let (over, handle) = world.claimed().await?;
    world.complete(&handle, None).await.map_err(Failure::setup_refused)?;
    let suspended = world.suspended().await?.id;
    for id in [&delayed, &active, &over, &suspended] {
        let before = world.observe(id).await?;
        let answer = world.issue_claim_grant(world.granting(id)).await;
        expect_refused!(answer, "contention.execution_not_eligible", "{id}");
        expect_eq!(world.observe(id).await?, before, "what is shown of it");
    }
    let waiting = world.execution().create().await?;
    let elsewhere = with(world.granting(&waiting), |args| args.lane_id = LaneId::new("elsewhere"));
    let answer = world.issue_claim_grant(elsewhere).await;
    expect_refused!(answer, "contention.execution_not_in_eligible_set");
    expect_eq!(world.worker().claims().await?, Some(waiting), "it is still to be claimed");
    Ok(())
}

/// A member that waits for others, and one whose lease has lapsed.
#[case(CLM_018)]
async fn refused_members(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (first, second) = (graph.member().await?, graph.member().await?);
    graph.depend(&first, &second).await?;
    let lapsed = world.execution().lane("lapsing").create().await?;
    world.worker().lane("lapsing").ttl(50).claim().await?;
    world.pass_ms(50).await?;
    for id in [&second, &lapsed] {
        let answer = world.issue_claim_grant(world.granting(id)).await;
        expect_refused!(answer, "contention.execution_not_eligible", "{id}");
    }
    Ok(())
}

/// Everything is wrong with the first call, and with each that follows one thing less.
#[case(CLM_019)]
async fn first_decides(world: World) -> Verdict {
    let mut args = offering(world.granting(&world.execution_id()), &["a b"]);
    args.lane_id = LaneId::new("elsewhere");
    let held = world.execution().requires(&["gpu"]).create().await?;
    world.worker().offers(&["gpu"]).claim().await?;
    let kept = world.execution().requires(&["gpu"]).create().await?;
    world.grant(offering(world.granting(&kept), &["gpu"])).await.map_err(Failure::in_setup)?;
    let free = world.execution().requires(&["gpu"]).create().await?;
    let id = |args: &mut IssueClaimGrantArgs, id: &ExecutionId| {
        args.execution_id = id.clone();
        args.partition = world.partition_of(id);
    };
    let answer = world.issue_claim_grant(args.clone()).await;
    expect_refused!(answer, "validation.invalid_capabilities", "a bad capability");
    args.worker_capabilities = BTreeSet::new();
    let answer = world.issue_claim_grant(args.clone()).await;
    expect_refused!(answer, "not_found.execution", "unknown");
    id(&mut args, &held);
    let answer = world.issue_claim_grant(args.clone()).await;
    expect_refused!(answer, "contention.execution_not_eligible", "active");
    id(&mut args, &kept);
    let answer = world.issue_claim_grant(args.clone()).await;
    expect_refused!(answer, "state.grant_already_exists", "granted");
    id(&mut args, &free);
    let answer = world.issue_claim_grant(args.clone()).await;
    expect_refused!(answer, "contention.execution_not_in_eligible_set", "of another lane");
    args.lane_id = world.lane_of(&free);
    let answer = world.issue_claim_grant(args).await;
    expect_refused!(answer, "validation.capability_mismatch", "without the capability");
    Ok(())
}

/// What a claim would refuse as well.
#[case(CLM_019)]
async fn arguments(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let bad: [Spoilt; 5] = [
        ("a TTL of 0", |args| args.grant_ttl_ms = 0),
        ("a nameless worker", |args| args.worker_id = WorkerId::new("")),
        ("a nameless instance", |args| args.worker_instance_id = WorkerInstanceId::new("")),
        ("a nameless lane", |args| args.lane_id = LaneId::new("")),
        ("no lane at all", |args| args.lane_id = LaneId::new("a\nb")),
    ];
    for (what, spoil) in bad {
        let answer = world.issue_claim_grant(with(world.granting(&id), spoil)).await;
        expect_refused!(answer, "validation.invalid_input", "{what}");
    }
    Ok(())
}
