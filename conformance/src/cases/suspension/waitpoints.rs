//! Waitpoints: made ahead of a suspension, listed, closed.

use std::collections::BTreeSet;
use std::time::Duration;

use ff_core::backend::ResumeCondition;
use ff_core::contracts::{CountKind, ListPendingWaitpointsArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{TimestampMs, WaitpointId};
use futures_util::future::join_all;

use crate::stage::{CALLERS_NOW, Failure, Verdict, World, all_of, any_at, case, count, named_at};

/// Keys and times that are refused, and the first and last that are not.
#[case(WPT_001)]
async fn arguments(world: World) -> Verdict {
    let (_, handle) = world.signing().await?;
    let (minute, longest) = (Duration::from_mins(1), Duration::from_millis((1 << 53) - 1));
    for key in ["", "a\0b", &"k".repeat(257)] {
        let answer = world.create_waitpoint(&handle, key, minute).await;
        expect_refused!(answer, "validation.invalid_input", "a key of {} bytes", key.len());
    }
    for wrong in [Duration::ZERO, Duration::from_micros(999), longest * 2, Duration::MAX] {
        let answer = world.create_waitpoint(&handle, "wp", wrong).await;
        expect_refused!(answer, "validation.invalid_input", "for {wrong:?}");
    }
    for (key, right) in [("k", Duration::from_micros(1_999)), (&*"k".repeat(256), longest)] {
        world.create_waitpoint(&handle, key, right).await?;
    }
    Ok(())
}

/// It is listed, and nothing of the execution has changed.
#[case(WPT_002)]
async fn made(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let before = world.observe(&claimed.0).await?;
    let made = world.pending(&claimed, "wp").await?;
    let listed: Vec<_> = world.waitpoints(&claimed.0).await?;
    let listed: Vec<_> = listed.iter().map(|entry| (entry.waitpoint_id, &*entry.state)).collect();
    expect_eq!(listed, [(made.waitpoint, "pending")], "what is listed");
    expect_eq!(world.observe(&claimed.0).await?, before, "the execution stays as it is");
    world.renew(&claimed.1).await?;
    Ok(())
}

/// Ten of one key, in turn and at once.
#[case(WPT_003)]
async fn many(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        ids.insert(world.pending(&claimed, "wp").await?.waitpoint);
    }
    for made in join_all((0..5).map(|_| world.pending(&claimed, "wp"))).await {
        ids.insert(made?.waitpoint);
    }
    expect_eq!(ids.len(), 10, "distinct waitpoints");
    expect_eq!(world.waitpoints(&claimed.0).await?.len(), 10, "all are listed");
    Ok(())
}

/// Nobody has closed it.
#[case(WPT_004, WPT_035, needs(passive))]
async fn expired(world: World) -> Verdict {
    let (id, handle) = world.signing().await?;
    let soon = Duration::from_millis(50);
    let made = world.create_waitpoint(&handle, "wp", soon).await?;
    let token = made.hmac_token.token().clone();
    let target = crate::stage::Target { execution: id, waitpoint: made.waitpoint_id, token };
    world.pass_ms(50).await?;
    let late = world.deliver_signal(world.signal(&target)).await;
    expect_refused!(late, "state.waitpoint_closed");
    let late = world.suspend(&handle, world.taking(&target, "wp")).await;
    expect_refused!(late, "state.pending_waitpoint_expired");
    Ok(())
}

/// To the millisecond.
#[case(WPT_004, WPT_035, needs(clock, passive))]
async fn expires(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let [one, other] =
        [world.pending(&claimed, "one").await?, world.pending(&claimed, "wp").await?];
    for _ in 0..2 {
        world.pass_ms(29_999).await?;
        world.renew(&claimed.1).await?;
    }
    world.pass_ms(1).await?;
    world.expect_effect(world.signal(&one), "buffered_for_pending_waitpoint").await?;
    world.pass_ms(1).await?;
    expect_refused!(world.deliver_signal(world.signal(&one)).await, "state.waitpoint_closed");
    let late = world.suspend(&claimed.1, world.taking(&other, "wp")).await;
    expect_refused!(late, "state.pending_waitpoint_expired");
    Ok(())
}

/// One of an attempt that has failed, and one of another execution.
#[case(WPT_029, WPT_036)]
async fn of_another(world: World) -> Verdict {
    world.sign().await?;
    let claimed = world.execution().retries(1, 0).claimed().await?;
    let target = world.pending(&claimed, "wp").await?;
    let other = world.claimed().await?;
    let foreign = world.suspend(&other.1, world.taking(&target, "wp")).await;
    let code = "validation.invalid_waitpoint_for_execution";
    // Of another partition it is not known at all.
    if other.0.partition() == target.execution.partition() {
        expect_refused!(foreign, code, "another execution");
    }
    world.fail_with(&claimed.1, ff_core::backend::FailureClass::Transient).await?;
    expect_refused!(world.deliver_signal(world.signal(&target)).await, "state.waitpoint_closed");
    world.promote(&claimed.0).await?;
    let handle = world.worker().claim().await?;
    expect_refused!(world.deliver_signal(world.signal(&target)).await, "state.waitpoint_closed");
    expect_refused!(world.suspend(&handle, world.taking(&target, "wp")).await, code, "a retry");
    Ok(())
}

/// Pending, active and closed, and of none.
#[case(WPT_011)]
async fn token_read(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    let key = world.partition_key_of(&claimed.0);
    let token = Some(target.token.as_str().to_owned());
    let read = async || world.read_waitpoint_token(key.clone(), &target.waitpoint).await;
    expect_eq!(read().await?, token, "pending");
    let suspended = world.suspended_by(claimed, world.taking(&target, "wp")).await?;
    expect_eq!(read().await?, token, "active");
    world.resume(&suspended.id).await?;
    expect_eq!(read().await?, token, "closed");
    let nobody = WaitpointId::from_uuid(world.uuid());
    expect_eq!(world.read_waitpoint_token(key, &nobody).await?, None, "unknown");
    Ok(())
}

/// In other partitions, and in what is none.
#[case(WPT_030)]
async fn token_elsewhere(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    let count = world.partitions().num_flow_partitions;
    let key = |index| PartitionKey::from(&Partition { family: PartitionFamily::Flow, index });
    if count > 1 {
        let other = key((claimed.0.partition() + 1) % count);
        expect_eq!(world.read_waitpoint_token(other, &target.waitpoint).await?, None, "elsewhere");
    }
    for wrong in [PartitionKey::new("x"), PartitionKey::new("{b:0}"), key(count)] {
        let answer = world.read_waitpoint_token(wrong.clone(), &target.waitpoint).await;
        expect_refused!(answer, "validation.invalid_input", "{wrong}");
    }
    Ok(())
}

/// Pages of every size together are the whole list.
#[case(WPT_013)]
async fn pages(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let (other_id, other) = world.claimed().await?;
    world.create_waitpoint(&other, "other", Duration::from_mins(1)).await?;
    let mut all = BTreeSet::new();
    for number in 0..3 {
        all.insert(world.pending(&claimed, &format!("pending {number}")).await?.waitpoint);
    }
    let args = world.suspending(count(4, CountKind::DistinctWaitpoints, &KEYS), &KEYS);
    let suspended = world.suspended_by(claimed, args).await?;
    all.extend(suspended.targets().iter().map(|target| target.waitpoint));
    let all: Vec<WaitpointId> = all.into_iter().collect();
    for size in 1..=8 {
        let (mut seen, mut cursor) = (Vec::new(), None::<WaitpointId>);
        loop {
            let mut args = ListPendingWaitpointsArgs::new(suspended.id.clone()).with_limit(size);
            args.after = cursor;
            let page = world.list_pending_waitpoints(args).await?;
            seen.extend(page.entries.iter().map(|entry| entry.waitpoint_id));
            expect_eq!(seen, all[..seen.len().min(all.len())], "pages of {size}");
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
            expect_eq!(cursor, seen.last().copied(), "the cursor is the last id");
            expect!(seen.len() < all.len(), "a cursor, though nothing follows");
        }
        expect_eq!(seen, all, "pages of {size}");
    }
    world.resume(&suspended.id).await?;
    expect_eq!(world.waitpoints(&suspended.id).await?.len(), 3, "those that are pending");
    expect_eq!(world.waitpoints(&other_id).await?.len(), 1, "another's");
    let unknown = ListPendingWaitpointsArgs::new(world.execution_id());
    expect_refused!(world.list_pending_waitpoints(unknown).await, "not_found.execution");
    Ok(())
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// None, some, a hundred, and a thousand.
#[case(WPT_031)]
async fn limits(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let mut all = BTreeSet::new();
    for _ in 0..101 {
        for made in join_all((0..10).map(|_| world.pending(&claimed, "wp"))).await {
            all.insert(made?.waitpoint);
        }
    }
    let all: Vec<WaitpointId> = all.into_iter().collect();
    for (limit, length) in
        [(Some(0), 0), (Some(1), 1), (None, 100), (Some(999), 999), (Some(2_000), 1_000)]
    {
        let mut args = ListPendingWaitpointsArgs::new(claimed.0.clone());
        args.limit = limit;
        let page = world.list_pending_waitpoints(args).await?;
        let seen: Vec<_> = page.entries.iter().map(|entry| entry.waitpoint_id).collect();
        expect!(seen == all[..length], "a page for {limit:?} has the first {length}");
        let cursor = length.checked_sub(1).map(|last| all[last]);
        expect_eq!(page.next_cursor, cursor, "the cursor for {limit:?}");
    }
    let args = ListPendingWaitpointsArgs::new(claimed.0).with_after(all[999]).with_limit(10);
    let page = world.list_pending_waitpoints(args).await?;
    expect_eq!((page.entries.len(), page.next_cursor), (10, None), "the rest");
    Ok(())
}

/// A pending one, and one with and one without a timeout.
#[case(WPT_014)]
async fn entries(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let created = world.now();
    world.pending(&claimed, "early").await?;
    let deadline = world.due_in_ms(60_000);
    world.pass_ms(20).await?;
    let activated = world.now();
    let timeout = world.in_ms(90_000);
    let behavior = ff_core::backend::TimeoutBehavior::Escalate;
    let args = world.plain_suspension().with_timeout(timeout, behavior);
    let suspended = world.suspended_by(claimed, args).await?;
    for entry in world.waitpoints(&suspended.id).await? {
        let is_early = entry.waitpoint_key == "early";
        expect_eq!(entry.execution_id, suspended.id, "whose it is");
        expect_eq!(entry.token_kid, "first", "the key id of {}", entry.waitpoint_key);
        let (state, since) = if is_early { ("pending", created) } else { ("active", activated) };
        expect_eq!(entry.state, state, "the state of {}", entry.waitpoint_key);
        world.expect_time(entry.created_at, since, "when it was created")?;
        let expires = entry.expires_at.ok_or_else(|| Failure::new("it has a deadline"))?;
        let expected = if is_early { deadline } else { timeout };
        world.expect_time(expires, expected, "its deadline")?;
        match entry.activated_at {
            Some(at) if !is_early => world.expect_time(at, activated, "when it was activated")?,
            other => expect_eq!(other.is_some(), !is_early, "active ones tell since when"),
        }
    }
    let other = world.claimed().await?;
    let other = world.suspended_by(other, world.plain_suspension()).await?;
    let entry = world.waitpoints(&other.id).await?.pop();
    let expires = entry.and_then(|entry| entry.expires_at);
    expect_eq!(expires, None::<TimestampMs>, "without a timeout");
    Ok(())
}

/// Sixteen digits of the token.
#[case(WPT_032)]
async fn fingerprints(world: World) -> Verdict {
    let suspended = world.suspended().await?;
    let token = suspended.target().token;
    let digest = token.as_str().split_once(':').map_or("", |(_, digest)| digest);
    let listed = world.waitpoints(&suspended.id).await?;
    let seen: Vec<_> = listed.iter().map(|entry| entry.token_fingerprint.as_str()).collect();
    expect_eq!(seen, [&digest[..16]], "the fingerprint");
    Ok(())
}

type Keys = &'static [&'static str];

/// Names in several parts, wildcards, and conditions without signals.
#[case(WPT_015)]
async fn required_names(world: World) -> Verdict {
    world.sign().await?;
    let composite = all_of(vec![
        named_at("two", "a"),
        named_at("one", "a"),
        named_at("two", "a"),
        all_of(vec![any_at("b"), named_at("three", "c")]),
        count(1, CountKind::DistinctSignals, &["b"]),
    ]);
    let cases: [(ResumeCondition, Keys, &[Keys]); 4] = [
        (composite, &["a", "b", "c"], &[&["two", "one"], &[], &["three"]]),
        (any_at("a"), &["a"], &[&[]]),
        (ResumeCondition::OperatorOnly, &["a"], &[&["__operator_only__"]]),
        (all_of(vec![ResumeCondition::OperatorOnly]), &["a"], &[&[]]),
    ];
    for (condition, keys, expected) in cases {
        let claimed = world.claimed().await?;
        world.pending(&claimed, "early").await?;
        let args = world.suspending(condition.clone(), keys);
        let suspended = world.suspended_by(claimed, args).await?;
        for entry in world.waitpoints(&suspended.id).await? {
            let place = keys.iter().position(|key| *key == entry.waitpoint_key);
            let expected = place.map_or(&[] as &[&str], |place| expected[place]);
            expect_eq!(
                entry.required_signal_names,
                expected,
                "{} of {condition:?}",
                entry.waitpoint_key
            );
        }
    }
    let claimed = world.claimed().await?;
    let behavior = ff_core::backend::TimeoutBehavior::Fail;
    let args = world.suspending(ResumeCondition::TimeoutOnly, &["a"]);
    let args = args.with_timeout(world.in_ms(60_000), behavior);
    let suspended = world.suspended_by(claimed, args).await?;
    let listed = world.waitpoints(&suspended.id).await?;
    expect_eq!(listed[0].required_signal_names, ["__timeout_only__"], "for timeouts only");
    Ok(())
}

/// One that is due; one that is not; one that is active, closed or unknown.
#[case(WPT_016)]
async fn closed(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let id = claimed.0.clone();
    let soon = Duration::from_millis(50);
    let due = world.create_waitpoint(&claimed.1, "due", soon).await?.waitpoint_id;
    let later = world.pending(&claimed, "later").await?;
    let taken = world.pending(&claimed, "wp").await?;
    let listed = async || -> Result<BTreeSet<WaitpointId>, Failure> {
        Ok(world.waitpoints(&id).await?.into_iter().map(|entry| entry.waitpoint_id).collect())
    };
    let close = async |waitpoint: WaitpointId| {
        let (partition, waitpoint) = (world.partition_of(&id), waitpoint.to_string());
        world.close_waitpoint(partition, &id, &waitpoint, CALLERS_NOW).await
    };
    world.pass_ms(50).await?;
    let suspended = world.suspended_by(claimed, world.taking(&taken, "wp")).await?;
    for waitpoint in
        [due, later.waitpoint, taken.waitpoint, due, WaitpointId::from_uuid(world.uuid())]
    {
        close(waitpoint).await?;
    }
    expect_eq!(listed().await?, BTreeSet::from([later.waitpoint, taken.waitpoint]), "the others");
    world.expect_effect(world.signal(&suspended.target()), "resume_condition_satisfied").await?;
    Ok(())
}

/// Early by a millisecond, and when it is due.
#[case(WPT_016, needs(clock))]
async fn closed_when_due(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    world.pass_ms(59_999).await?;
    world.close_pending(&target).await?;
    expect_eq!(world.waitpoints(&claimed.0).await?.len(), 1, "a millisecond early");
    world.pass_ms(1).await?;
    world.close_pending(&target).await?;
    expect_eq!(world.waitpoints(&claimed.0).await?.len(), 0, "when it is due");
    Ok(())
}

/// The lease goes on, and what it kept is known.
#[case(WPT_017)]
async fn closed_without_effect(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let soon = Duration::from_millis(50);
    let made = world.create_waitpoint(&claimed.1, "wp", soon).await?;
    let target = crate::stage::Target {
        execution: claimed.0.clone(),
        waitpoint: made.waitpoint_id,
        token: made.hmac_token.token().clone(),
    };
    world.pass_ms(50).await?;
    let before = world.observe(&claimed.0).await?;
    world.close_pending(&target).await?;
    world.close_pending(&target).await?;
    expect_eq!(world.observe(&claimed.0).await?, before, "the execution");
    world.renew(&claimed.1).await?;
    Ok(())
}

/// An id that is none, and another's waitpoint.
#[case(WPT_033)]
async fn close_refused(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    let partition = world.partition_of(&claimed.0);
    for wrong in ["", "x", "00000000-0000-0000-0000-00000000000g"] {
        let answer = world.close_waitpoint(partition, &claimed.0, wrong, CALLERS_NOW).await;
        expect_refused!(answer, "validation.invalid_input", "{wrong:?}");
    }
    let other = world.execution_id_in(claimed.0.partition());
    let foreign = crate::stage::Target { execution: other, ..target };
    let answer = world.close_pending(&foreign).await;
    expect_refused!(answer, "validation.invalid_waitpoint_for_execution");
    Ok(())
}
