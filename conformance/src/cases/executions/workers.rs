//! The registry of workers.

use std::collections::BTreeSet;

use ff_core::backend::Namespace;
use ff_core::contracts::{
    HeartbeatWorkerArgs, HeartbeatWorkerOutcome, ListWorkersArgs, ListWorkersResult,
    MarkWorkerDeadArgs, MarkWorkerDeadOutcome, RegisterWorkerArgs, RegisterWorkerOutcome,
    WorkerInfo,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{LaneId, WorkerId, WorkerInstanceId};
use futures_util::future::join_all;

use crate::stage::{CALLERS_NOW, Failure, Verdict, World, case, registering};

/// A sign of life of an instance.
fn beating(instance: &str) -> HeartbeatWorkerArgs {
    let instance = WorkerInstanceId::new(instance);
    HeartbeatWorkerArgs::new(instance, Namespace::new("tenant"), CALLERS_NOW)
}

fn dying(instance: &str) -> MarkWorkerDeadArgs {
    let (instance, reason) = (WorkerInstanceId::new(instance), "why".to_owned());
    MarkWorkerDeadArgs::new(instance, Namespace::new("tenant"), reason, CALLERS_NOW)
}

impl World {
    async fn beat(&self, instance: &str) -> Result<HeartbeatWorkerOutcome, EngineError> {
        self.heartbeat_worker(beating(instance)).await
    }

    async fn die(&self, instance: &str) -> Result<MarkWorkerDeadOutcome, EngineError> {
        self.mark_worker_dead(dying(instance)).await
    }

    /// Registers what is new.
    async fn registered(&self, args: RegisterWorkerArgs) -> Result<(), Failure> {
        let what = args.worker_instance_id.clone();
        let outcome = self.register_worker(args).await?;
        expect_eq!(outcome, RegisterWorkerOutcome::Registered, "{what} is new");
        Ok(())
    }

    async fn workers_page(
        &self,
        namespace: Option<&str>,
        after: Option<WorkerInstanceId>,
        limit: Option<u32>,
    ) -> Result<ListWorkersResult, EngineError> {
        let mut args = ListWorkersArgs::new();
        args.namespace = namespace.map(Namespace::new);
        (args.after, args.limit) = (after, limit);
        self.list_workers(args).await
    }

    /// The instances that are live in a namespace.
    async fn live_in(&self, namespace: &str) -> Result<Vec<String>, EngineError> {
        let page = self.workers_page(Some(namespace), None, None).await?;
        Ok(page.entries.iter().map(|entry| entry.worker_instance_id.to_string()).collect())
    }
}

/// New, known, after its time and after its death, and in another namespace.
#[case(WRK_001)]
async fn registered(world: World) -> Verdict {
    let mut args = registering("one", 60_000);
    world.registered(args.clone()).await?;
    args.lanes = BTreeSet::from([LaneId::new("b"), LaneId::new("a b,c")]);
    args.capabilities = BTreeSet::from(["gpu".to_owned()]);
    args.liveness_ttl_ms = 50_000;
    for _ in 0..2 {
        let again = world.register_worker(args.clone()).await?;
        expect_eq!(again, RegisterWorkerOutcome::Refreshed, "it is live");
        let listed = world.workers_page(Some("tenant"), None, None).await?.entries;
        let seen = listed.iter().map(|one| (&one.lanes, &one.capabilities, one.liveness_ttl_ms));
        let expected = (&args.lanes, &args.capabilities, 50_000);
        expect_eq!(seen.collect::<Vec<_>>(), vec![expected], "what is replaced");
    }
    let mut other = args.clone();
    other.namespace = Namespace::new("other");
    world.registered(other).await?;
    world.die("one").await?;
    args.liveness_ttl_ms = 50;
    world.registered(args.clone()).await?;
    world.pass_ms(50).await?;
    args.worker_id = WorkerId::new("another");
    world.registered(args).await
}

/// Names, lanes, capabilities and times that no registration has.
#[case(WRK_002, WRK_016)]
async fn arguments(world: World) -> Verdict {
    type Spoil = fn(&mut RegisterWorkerArgs);
    let invalid = "validation.invalid_input";
    let bad: &[(Spoil, &str)] = &[
        (|args| args.worker_id = WorkerId::new(""), invalid),
        (|args| args.worker_instance_id = WorkerInstanceId::new(""), invalid),
        (|args| args.worker_instance_id = WorkerInstanceId::new("i".repeat(1_025)), invalid),
        (|args| args.namespace = Namespace::new(""), invalid),
        (|args| args.namespace = Namespace::new("n".repeat(1_025)), invalid),
        (|args| args.lanes.clear(), invalid),
        (|args| args.lanes = BTreeSet::from([LaneId::new("")]), invalid),
        (|args| args.lanes = (0..65).map(|n| LaneId::new(format!("l{n}"))).collect(), invalid),
        (|args| args.liveness_ttl_ms = 0, invalid),
        (
            |args| args.capabilities = BTreeSet::from(["a b".to_owned()]),
            "validation.invalid_capabilities",
        ),
    ];
    for (spoil, code) in bad {
        let mut args = registering("one", 60_000);
        spoil(&mut args);
        expect_refused!(world.register_worker(args.clone()).await, code, "{args:?}");
    }
    expect_eq!(world.live_in("tenant").await?, Vec::<String>::new(), "nobody is registered");
    for name in ["", &"i".repeat(1_025)] {
        expect_refused!(world.beat(name).await, invalid, "a heartbeat");
        expect_refused!(world.die(name).await, invalid, "a death");
    }
    let mut longest = registering(&"i".repeat(1_024), 60_000);
    longest.namespace = Namespace::new("n".repeat(1_024));
    longest.lanes = (0..64).map(|n| LaneId::new(format!("l{n}"))).collect();
    world.registered(longest).await
}

/// Live, over, dead and unknown.
#[case(WRK_003)]
async fn heartbeats(world: World) -> Verdict {
    expect_eq!(world.beat("one").await?, HeartbeatWorkerOutcome::NotRegistered, "unknown");
    world.registered(registering("one", 60_000)).await?;
    world.pass_ms(5).await?;
    let next = world.beat("one").await?;
    let HeartbeatWorkerOutcome::Refreshed { next_expiry_ms } = next else {
        return Err(Failure::new(format!("it is live, not {next:?}")));
    };
    world.expect_time(next_expiry_ms, world.due_in_ms(60_000), "the next expiry")?;
    world.die("one").await?;
    world.registered(registering("brief", 50)).await?;
    world.pass_ms(50).await?;
    for instance in ["one", "brief"] {
        for _ in 0..2 {
            let answer = world.beat(instance).await?;
            expect_eq!(answer, HeartbeatWorkerOutcome::NotRegistered, "{instance}");
        }
    }
    expect_eq!(world.live_in("tenant").await?, Vec::<String>::new(), "none has come back");
    Ok(())
}

/// Another worker under the name of a live instance.
#[case(WRK_004)]
async fn reassigned(world: World) -> Verdict {
    world.registered(registering("one", 60_000)).await?;
    let before = world.workers_page(None, None, None).await?;
    let mut other = registering("one", 50_000);
    other.worker_id = WorkerId::new("another");
    let refused = world.register_worker(other).await;
    let detail = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
    expect!(detail.contains("instance_id reassigned"), "the detail tells: {detail}");
    expect_refused!(refused, "validation.invalid_input", "it is another's");
    expect_eq!(world.workers_page(None, None, None).await?, before, "what is registered");
    Ok(())
}

/// To the millisecond, from the last sign of life.
#[case(WRK_005, needs(clock))]
async fn liveness(world: World) -> Verdict {
    world.registered(registering("one", 1_000)).await?;
    world.pass_ms(999).await?;
    world.beat("one").await?;
    world.pass_ms(999).await?;
    expect_eq!(world.live_in("tenant").await?, ["one"], "a millisecond early");
    world.register_worker(registering("one", 1_000)).await?;
    world.pass_ms(999).await?;
    expect_eq!(world.live_in("tenant").await?, ["one"], "registered again");
    world.pass_ms(1).await?;
    expect_eq!(world.live_in("tenant").await?, Vec::<String>::new(), "it is over");
    expect_eq!(world.die("one").await?, MarkWorkerDeadOutcome::NotRegistered, "for all");
    Ok(())
}

/// When it was registered and when it was heard of, by the clock.
#[case(WRK_006)]
async fn times(world: World) -> Verdict {
    let expect = |registered, heard, what: &'static str| {
        let world = world.clone();
        async move {
            let listed = world.workers_page(Some("tenant"), None, None).await?.entries;
            expect_eq!(listed.len(), 1, "one is live");
            world.expect_time(listed[0].registered_at_ms, registered, what)?;
            world.expect_time(listed[0].last_heartbeat_ms, heard, what)
        }
    };
    world.registered(registering("one", 60_000)).await?;
    let begun = world.now();
    world.pass_ms(40).await?;
    world.beat("one").await?;
    expect(begun, world.now(), "a heartbeat").await?;
    world.pass_ms(40).await?;
    world.register_worker(registering("one", 60_000)).await?;
    expect(begun, world.now(), "a registration").await?;
    world.die("one").await?;
    world.registered(registering("one", 60_000)).await?;
    expect(world.now(), world.now(), "a new one").await
}

/// Once.
#[case(WRK_007)]
async fn dead(world: World) -> Verdict {
    world.registered(registering("one", 60_000)).await?;
    world.registered(registering("two", 60_000)).await?;
    let mut elsewhere = dying("one");
    elsewhere.namespace = Namespace::new("other");
    let answer = world.mark_worker_dead(elsewhere).await?;
    expect_eq!(answer, MarkWorkerDeadOutcome::NotRegistered, "of another namespace");
    expect_eq!(world.die("one").await?, MarkWorkerDeadOutcome::Marked);
    expect_eq!(world.live_in("tenant").await?, ["two"], "who is left");
    for instance in ["one", "nobody"] {
        let answer = world.die(instance).await?;
        expect_eq!(answer, MarkWorkerDeadOutcome::NotRegistered, "{instance}");
    }
    Ok(())
}

/// Reasons, also of nobody.
#[case(WRK_008)]
async fn reasons(world: World) -> Verdict {
    for reason in ["x".repeat(257), "a\nb".to_owned(), "a\u{7f}".to_owned()] {
        let mut args = dying("nobody");
        args.reason = reason;
        let refused = world.mark_worker_dead(args).await;
        let detail = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
        expect!(detail.contains("reason:"), "the detail tells: {detail}");
        expect_refused!(refused, "validation.invalid_input");
    }
    for reason in [String::new(), "x".repeat(256), "é".repeat(128)] {
        let mut args = dying("nobody");
        args.reason = reason;
        let answer = world.mark_worker_dead(args).await?;
        expect_eq!(answer, MarkWorkerDeadOutcome::NotRegistered, "the reason is fine");
    }
    Ok(())
}

/// What was registered, and nobody else.
#[case(WRK_009)]
async fn listed(world: World) -> Verdict {
    let mut args = registering("one", 60_000);
    args.worker_id = WorkerId::new("a worker");
    args.lanes = BTreeSet::from([LaneId::new("a"), LaneId::new("b, c")]);
    args.capabilities = BTreeSet::from(["cpu".to_owned(), "gpu".to_owned()]);
    world.registered(args.clone()).await?;
    let mut bare = registering("two", 60_000);
    bare.capabilities.clear();
    world.registered(bare).await?;
    let mut other = registering("three", 60_000);
    other.namespace = Namespace::new("tenant2");
    world.registered(other).await?;
    world.registered(registering("brief", 50)).await?;
    world.registered(registering("dead", 60_000)).await?;
    world.die("dead").await?;
    world.pass_ms(50).await?;
    let entries = world.workers_page(Some("tenant"), None, None).await?.entries;
    expect_eq!(entries.len(), 2, "who is live: {entries:?}");
    let first = &entries[0];
    let times = (first.last_heartbeat_ms, first.registered_at_ms);
    let (namespace, ttl) = (args.namespace.clone(), args.liveness_ttl_ms);
    let (worker, instance) = (args.worker_id, args.worker_instance_id);
    let expected = WorkerInfo::new(
        worker,
        instance,
        namespace,
        args.lanes,
        args.capabilities,
        times.0,
        ttl,
        times.1,
    );
    expect_eq!(*first, expected, "what was registered");
    expect_eq!(entries[1].capabilities, BTreeSet::new(), "it offers nothing");
    Ok(())
}

/// By their bytes, page by page.
#[case(WRK_010)]
async fn pages(world: World) -> Verdict {
    let mut names: Vec<String> =
        ["b", "a", "B", "é", "a b", "a:b", "ab", "z"].map(str::to_owned).into();
    for name in &names {
        world.registered(registering(name, 60_000)).await?;
    }
    names.sort();
    for limit in 1..=9 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = world.workers_page(Some("tenant"), after, Some(limit)).await?;
            let entries = page.entries.iter().map(|one| one.worker_instance_id.to_string());
            let entries: Vec<String> = entries.collect();
            expect!(entries.len() <= limit as usize, "a page of {limit}: {entries:?}");
            seen.extend(entries);
            let Some(next) = page.cursor else { break };
            expect_eq!(Some(&next.to_string()), seen.last(), "the cursor is the last");
            expect!(seen.len() < names.len(), "another page follows");
            after = Some(next);
        }
        expect_eq!(seen, names, "pages of {limit}");
    }
    let none = world.workers_page(Some("tenant"), None, Some(0)).await?;
    expect_eq!(none, ListWorkersResult::new(Vec::new(), None), "a limit of 0");
    let after = Some(WorkerInstanceId::new("aa"));
    let page = world.workers_page(Some("tenant"), after, Some(1)).await?;
    let found = page.entries.first().map(|one| one.worker_instance_id.to_string());
    expect_eq!(found.as_deref(), Some("ab"), "after an instance that is not registered");
    Ok(())
}

/// Those whose time is over shorten no page, and one without a limit is long.
#[case(WRK_011)]
async fn full_pages(world: World) -> Verdict {
    for number in 0..30 {
        let ttl = if number % 10 == 9 { 60_000 } else { 50 };
        world.registered(registering(&format!("w{number:02}"), ttl)).await?;
    }
    world.pass_ms(50).await?;
    let page = world.workers_page(Some("tenant"), None, Some(2)).await?;
    let entries = page.entries.iter().map(|one| one.worker_instance_id.to_string());
    expect_eq!(entries.collect::<Vec<_>>(), ["w09", "w19"], "two that are live");
    let page = world.workers_page(Some("tenant"), page.cursor, Some(2)).await?;
    expect_eq!(page.entries.len(), 1, "the last: {page:?}");
    expect_eq!(page.cursor, None, "no other follows");
    Ok(())
}

/// By namespace, then by instance, whatever characters they have.
#[case(WRK_012)]
async fn all_namespaces(world: World) -> Verdict {
    let mut all = Vec::new();
    for namespace in ["a", "b", "a:", "a1", "é"] {
        for instance in ["x", "1:y"] {
            let mut args = registering(instance, 60_000);
            args.namespace = Namespace::new(namespace);
            world.registered(args).await?;
            all.push((namespace.to_owned(), instance.to_owned()));
        }
    }
    all.sort();
    for limit in [1, 3, 10, 1_000] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = world.workers_page(None, after, Some(limit)).await?;
            let names = page
                .entries
                .iter()
                .map(|one| (one.namespace.as_str().to_owned(), one.worker_instance_id.to_string()));
            seen.extend(names);
            let Some(next) = page.cursor else { break };
            expect!(seen.len() < all.len(), "another page follows");
            after = Some(next);
        }
        expect_eq!(seen, all, "pages of {limit}");
    }
    for cursor in ["", "x", "7:ab", ":ab", "-1:ab"] {
        for limit in [0, 10] {
            let after = Some(WorkerInstanceId::new(cursor));
            let refused = world.workers_page(None, after, Some(limit)).await;
            expect_refused!(refused, "validation.invalid_input", "{cursor:?}");
        }
    }
    Ok(())
}

/// Claims need no registration, and death ends no lease.
#[case(WRK_013)]
async fn independent(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.granted_another().await?;
    let before = world.observe(&id).await?;
    let mut args = registering("worker-1", 50);
    args.worker_id = WorkerId::new("worker");
    world.registered(args.clone()).await?;
    world.beat("worker-1").await?;
    world.die("worker-1").await?;
    world.registered(args).await?;
    world.pass_ms(50).await?;
    expect_eq!(world.observe(&id).await?, before, "what is shown of its execution");
    world.complete(&handle, None).await?;
    Ok(())
}

/// Of its lanes, for what it offers; by a registration, a renewal of it and a heartbeat.
#[case(WRK_014)]
async fn routes(world: World) -> Verdict {
    let blocked = |lane: &'static str, tokens: &'static [&'static str]| {
        let world = world.clone();
        async move {
            let id = world.execution().lane(lane).requires(tokens).create().await?;
            world.block_route(world.routing(&id)).await.map_err(Failure::setup_refused)?;
            Ok::<_, Failure>(id)
        }
    };
    let waits = [("eligibility_state", "eligible_now"), ("blocking_reason", "waiting_for_worker")];
    let still = [("eligibility_state", "blocked_by_route"), ("public_state", "waiting")];
    let mut args = registering("one", 60_000);
    args.lanes = BTreeSet::from([LaneId::new("a"), LaneId::new("b")]);
    args.capabilities = BTreeSet::from(["gpu".to_owned()]);
    for how in ["registered", "registered again", "a heartbeat"] {
        let lifted = [blocked("a", &[]).await?, blocked("b", &["gpu"]).await?];
        let left = [blocked("a", &["cpu", "gpu"]).await?, blocked("c", &[]).await?];
        if how == "a heartbeat" {
            world.beat("one").await?;
        } else {
            world.register_worker(args.clone()).await?;
        }
        for id in &lifted {
            world.expect_fields(id, waits).await?;
        }
        for id in &left {
            world.expect_fields(id, still).await?;
        }
    }
    let budget = world.execution().lane("a").create().await?;
    let args = world.blocking(&budget, ff_core::contracts::BlockingReason::WaitingForBudget);
    world.block_execution_for_admission(args).await?;
    world.beat("one").await?;
    world.expect_fields(&budget, [("eligibility_state", "blocked_by_budget")]).await?;
    let claimed = world.worker().lane("b").offers(&["gpu"]).claims().await?;
    expect!(claimed.is_some(), "what was lifted is claimed");
    Ok(())
}

/// One of many.
#[case(WRK_015, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    for round in 0..4 {
        let instance = format!("w{round}");
        let registering = (0..8).map(|_| {
            let (world, args) = (world.clone(), registering(&instance, 60_000));
            tokio::spawn(async move { world.register_worker(args).await })
        });
        let mut new = 0;
        for outcome in join_all(registering).await {
            let outcome = outcome.map_err(|error| Failure::new(error.to_string()))??;
            new += usize::from(outcome == RegisterWorkerOutcome::Registered);
        }
        expect_eq!(new, 1, "how many have registered it");
    }
    expect_eq!(world.live_in("tenant").await?, ["w0", "w1", "w2", "w3"], "who is live");
    Ok(())
}

impl World {
    /// Another execution, which a grant keeps.
    async fn granted_another(&self) -> Result<(), Failure> {
        let id = self.execution().lane("another").create().await?;
        self.granted(&id).await
    }
}
