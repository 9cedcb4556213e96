//! Signals: what is delivered once, kept, counted and limited.

use ff_core::contracts::{CountKind, DeliverSignalArgs, DeliverSignalResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{LaneId, SignalId, WaitpointId, WaitpointToken};
use futures_util::future::join_all;

use crate::stage::{
    Failure, Target, Verdict, World, all_of, any_at, cancellation, case, count, named_at,
};

const KEPT: &str = "buffered_for_pending_waitpoint";
const MET: &str = "resume_condition_satisfied";

fn duplicate(existing_signal_id: SignalId) -> DeliverSignalResult {
    DeliverSignalResult::Duplicate { existing_signal_id }
}

fn keyed(args: DeliverSignalArgs, key: &str) -> DeliverSignalArgs {
    DeliverSignalArgs { idempotency_key: Some(key.to_owned()), ..args }
}

impl World {
    /// Delivers these at once; what each was answered.
    async fn all_at_once(
        &self,
        signals: Vec<DeliverSignalArgs>,
    ) -> Result<Vec<Result<DeliverSignalResult, EngineError>>, Failure> {
        let calls = signals.into_iter().map(|args| {
            let world = self.clone();
            tokio::spawn(async move { world.deliver_signal(args).await })
        });
        let answers = join_all(calls.collect::<Vec<_>>()).await.into_iter();
        let answers: Result<Vec<_>, _> = answers.collect();
        answers.map_err(|died| Failure::new(format!("a task died: {died}")))
    }
}

/// A call in which everything is wrong, mended bit by bit.
#[case(SIG_001)]
async fn order(world: World) -> Verdict {
    let suspended = world.suspended().await?;
    let target = suspended.target();
    let known = world.expect_effect(keyed(world.signal(&target), "key"), MET).await?;
    world.cancel_execution(cancellation(&suspended.id)).await?;
    let mut args = keyed(world.signal(&target), "key");
    args.max_signals_per_execution = Some(1);
    args.execution_id = world.execution_id();
    args.waitpoint_token = WaitpointToken::new("x");
    args.signal_name = String::new();
    let deliver = async |args: &DeliverSignalArgs| world.deliver_signal(args.clone()).await;
    expect_refused!(deliver(&args).await, "validation.invalid_input", "the name");
    args.signal_name = "go".to_owned();
    expect_refused!(deliver(&args).await, "not_found.execution");
    args.execution_id = suspended.id.clone();
    expect_refused!(deliver(&args).await, "validation.invalid_token");
    args.waitpoint_token = target.token.clone();
    expect_eq!(deliver(&args).await?, duplicate(known), "a signal that is known");
    args.idempotency_key = None;
    expect_refused!(deliver(&args).await, "state.target_not_signalable");
    let other = world.claimed().await?;
    let other = world.suspended_by(other, world.plain_suspension()).await?;
    world.expect_effect(world.signal(&other.target()), MET).await?;
    let late =
        DeliverSignalArgs { max_signals_per_execution: Some(1), ..world.signal(&other.target()) };
    expect_refused!(deliver(&late).await, "state.waitpoint_closed");
    Ok(())
}

/// Names that are refused, and the longest that is not.
#[case(SIG_002)]
async fn names(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    for name in ["", "__timeout", "__", "a\n", "a\u{7f}", "a\u{85}", "a\0", &"n".repeat(257)] {
        let answer = world.deliver_signal(world.signal_named(&target, name)).await;
        expect_refused!(answer, "validation.invalid_input", "{name:?}");
        let mut approval = world.approval(&target, "one");
        approval.signal_name = name.to_owned();
        let answer = world.deliver_approval_signal(approval).await;
        expect_refused!(answer, "validation.invalid_input", "an approval named {name:?}");
    }
    for name in ["_", "\u{e9} x", &"n".repeat(256)] {
        world.expect_effect(world.signal_named(&target, name), KEPT).await?;
    }
    Ok(())
}

/// Every byte, an empty one, and none.
#[case(SIG_003)]
async fn payloads(world: World) -> Verdict {
    world.sign().await?;
    let all: Vec<u8> = (0..=255).collect();
    for (sent, seen) in [
        (Some(all.clone()), Some(all)),
        (Some(vec![b'x'; 65_536]), Some(vec![b'x'; 65_536])),
        (Some(Vec::new()), None),
        (None, None),
    ] {
        let claimed = world.claimed().await?;
        let suspended = world.suspended_by(claimed, world.plain_suspension()).await?;
        let args = DeliverSignalArgs { payload: sent, ..world.signal(&suspended.target()) };
        world.expect_effect(args, MET).await?;
        let observed = world.observe_signals(&suspended.instead).await?;
        expect!(observed.len() == 1 && observed[0].payload == seen, "the payload comes back");
    }
    Ok(())
}

/// In every state; an empty one; one of a signal that was refused; another waitpoint's.
#[case(SIG_005)]
async fn keys(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let (one, other) = (world.pending(&claimed, "wp").await?, world.pending(&claimed, "b").await?);
    let mut refused = keyed(world.signal(&one), "key");
    refused.signal_name = String::new();
    expect_refused!(world.deliver_signal(refused).await, "validation.invalid_input");
    let again = async |world: &World| world.deliver_signal(keyed(world.signal(&one), "key")).await;
    let first = world.expect_effect(keyed(world.signal(&one), "key"), KEPT).await?;
    expect_eq!(again(&world).await?, duplicate(first), "pending");
    world.expect_effect(keyed(world.signal(&other), "key"), KEPT).await?;
    for _ in 0..2 {
        world.expect_effect(keyed(world.signal(&other), ""), KEPT).await?;
    }
    let mut args = world.taking(&one, "wp");
    args.resume_condition = count(2, CountKind::DistinctSignals, &["wp"]);
    let suspended = world.suspended_by(claimed, args).await?;
    expect_eq!(again(&world).await?, duplicate(first), "active");
    world.expect_fields(&suspended.id, [("public_state", "suspended")]).await?;
    world.expect_effect(keyed(world.signal(&one), "next"), MET).await?;
    expect_eq!(again(&world).await?, duplicate(first), "resumed");
    world.cancel_execution(cancellation(&suspended.id)).await?;
    expect_eq!(again(&world).await?, duplicate(first), "ended");
    Ok(())
}

/// To the millisecond; a day; not at all.
#[case(SIG_021, needs(clock))]
async fn windows(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let hour = std::time::Duration::from_hours(100);
    let made = world.create_waitpoint(&claimed.1, "wp", hour).await?;
    let target = Target {
        execution: claimed.0.clone(),
        waitpoint: made.waitpoint_id,
        token: made.hmac_token.token().clone(),
    };
    for (window, millis) in [(Some(1_000), 1_000), (None, 86_400_000)] {
        let key = format!("for {window:?}");
        let send =
            || DeliverSignalArgs { dedup_ttl_ms: window, ..keyed(world.signal(&target), &key) };
        let first = world.expect_effect(send(), KEPT).await?;
        world.pass_ms(millis - 1).await?;
        expect_eq!(world.deliver_signal(send()).await?, duplicate(first), "{key}: known");
        world.pass_ms(1).await?;
        world.expect_effect(send(), KEPT).await?;
    }
    for _ in 0..2 {
        let args = DeliverSignalArgs { dedup_ttl_ms: Some(0), ..keyed(world.signal(&target), "0") };
        world.expect_effect(args, KEPT).await?;
    }
    let mut approval = world.approval(&target, "one");
    approval.signal_dedup_ttl_ms = 5;
    for wait in [4, 1] {
        let answer = world.deliver_approval_signal(approval.clone()).await?;
        expect!(
            matches!(answer, DeliverSignalResult::Accepted { .. }) == (wait == 4),
            "{answer:?}"
        );
        world.pass_ms(wait).await?;
    }
    let answer = world.deliver_approval_signal(approval).await?;
    expect!(matches!(answer, DeliverSignalResult::Accepted { .. }), "forgotten: {answer:?}");
    Ok(())
}

/// Kept and counted, with another name.
#[case(SIG_006)]
async fn ids(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let (one, other) = (world.pending(&claimed, "wp").await?, world.pending(&claimed, "b").await?);
    let first = world.signal(&one);
    let id = world.expect_effect(first.clone(), KEPT).await?;
    for target in [&one, &other] {
        let again = DeliverSignalArgs { signal_id: id, ..world.signal_named(target, "x") };
        expect_eq!(world.deliver_signal(again).await?, duplicate(id), "known");
    }
    let mut args = world.taking(&one, "wp");
    args.resume_condition = count(2, CountKind::DistinctSignals, &["wp"]);
    let suspended = world.suspended_by(claimed, args).await?;
    expect_eq!(world.deliver_signal(first).await?, duplicate(id), "counted already");
    world.expect_fields(&suspended.id, [("public_state", "suspended")]).await
}

/// Thirty-two of one key, and as many of one id; the first of them resumes the execution.
#[case(SIG_007, needs(concurrency))]
async fn once(world: World) -> Verdict {
    world.sign().await?;
    for by_key in [true, false] {
        let claimed = world.claimed().await?;
        let suspended = world.suspended_by(claimed, world.plain_suspension()).await?;
        let target = suspended.target();
        let one = world.signal(&target);
        let signals =
            (0..32).map(|_| if by_key { keyed(world.signal(&target), "key") } else { one.clone() });
        let answers = world.all_at_once(signals.collect()).await?;
        let mut accepted = Vec::new();
        let mut duplicates = Vec::new();
        for answer in answers {
            match answer? {
                DeliverSignalResult::Accepted { signal_id, .. } => accepted.push(signal_id),
                DeliverSignalResult::Duplicate { existing_signal_id } => {
                    duplicates.push(existing_signal_id);
                }
            }
        }
        expect_eq!(accepted.len(), 1, "accepted");
        expect_eq!(duplicates, vec![accepted[0]; 31], "the others name it");
    }
    Ok(())
}

/// Nothing of the execution changes, and the lease goes on.
#[case(SIG_008)]
async fn kept(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    let before = world.observe(&claimed.0).await?;
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(world.expect_effect(world.signal(&target), KEPT).await?);
    }
    expect_eq!(world.observe(&claimed.0).await?, before, "the execution");
    world.renew(&claimed.1).await?;
    let mut args = world.taking(&target, "wp");
    args.resume_condition = count(4, CountKind::DistinctSignals, &["wp"]);
    let suspended = world.suspended_by(claimed, args).await?;
    sent.push(world.expect_effect(world.signal(&target), MET).await?);
    sent.sort();
    let mut seen = world.observed(&suspended.instead).await?;
    seen.sort();
    expect_eq!(seen, sent, "all were kept");
    Ok(())
}

/// In turn and at once, kept and counted.
#[case(SIG_009, needs(concurrency))]
async fn limit(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let refused = "validation.signal_limit_exceeded";
    let target = world.pending(&claimed, "wp").await?;
    let limited =
        || DeliverSignalArgs { max_signals_per_execution: Some(3), ..world.signal(&target) };
    for _ in 0..3 {
        world.expect_effect(limited(), KEPT).await?;
    }
    expect_refused!(world.deliver_signal(limited()).await, refused, "kept");
    let mut approval = world.approval(&target, "one");
    approval.max_signals_per_execution = Some(3);
    expect_refused!(world.deliver_approval_signal(approval).await, refused, "an approval");
    let args = world.suspending(count(100, CountKind::DistinctSignals, &["a"]), &["a"]);
    let suspended = world.suspended_by(claimed, args).await?;
    let target = suspended.target();
    let limited =
        || DeliverSignalArgs { max_signals_per_execution: Some(10), ..world.signal(&target) };
    let answers = world.all_at_once((0..16).map(|_| limited()).collect()).await?;
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    expect_eq!(accepted, 7, "as many as there was room for");
    for answer in answers.iter().filter(|answer| answer.is_err()) {
        expect_refused!(answer, refused);
    }
    Ok(())
}

/// The signal's, the policy's, none.
#[case(SIG_022)]
async fn limits(world: World) -> Verdict {
    world.sign().await?;
    for (policy, own, expected) in [(2, None, 2), (1, Some(3), 3), (0, None, 20), (2, Some(0), 20)]
    {
        let execution = world.execution().policy(|p| p.max_signals_per_execution = policy);
        let claimed = execution.claimed().await?;
        let target = world.pending(&claimed, "wp").await?;
        let mut accepted = 0;
        for _ in 0..20 {
            let args =
                DeliverSignalArgs { max_signals_per_execution: own, ..world.signal(&target) };
            accepted += usize::from(world.deliver_signal(args).await.is_ok());
        }
        expect_eq!(accepted, expected, "the policy says {policy}, the signal {own:?}");
    }
    Ok(())
}

/// Each effect.
#[case(SIG_012)]
async fn effects(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let early = world.pending(&claimed, "early").await?;
    world.expect_effect(world.signal(&early), KEPT).await?;
    let condition = all_of(vec![
        named_at("x", "a"),
        count(2, CountKind::DistinctSources, &["b"]),
        named_at("z", "c"),
    ]);
    let args = world.suspending(condition, &["a", "b", "c"]);
    let suspended = world.suspended_by(claimed, args).await?;
    let targets = suspended.targets();
    let (again, failed) = ("appended_to_waitpoint_duplicate", "signal_ignored_matcher_failed");
    for (place, name, effect) in [
        (0, "y", failed),
        (0, "x", "appended_to_waitpoint"),
        (0, "x", again),
        (1, "x", "appended_to_waitpoint"),
        (1, "y", again),
        (2, "x", failed),
    ] {
        world.expect_effect(world.signal_named(&targets[place], name), effect).await?;
    }
    let other =
        DeliverSignalArgs { source_identity: "other".to_owned(), ..world.signal(&targets[1]) };
    world.expect_effect(other.clone(), "appended_to_waitpoint").await?;
    let third = DeliverSignalArgs {
        source_identity: "third".to_owned(),
        signal_id: SignalId::from_uuid(world.uuid()),
        ..other
    };
    world.expect_effect(third, again).await?;
    world.expect_effect(world.signal_named(&targets[2], "z"), MET).await?;

    let claimed = world.claimed().await?;
    let args = world.suspending(ff_core::backend::ResumeCondition::OperatorOnly, &["a"]);
    let suspended = world.suspended_by(claimed, args).await?;
    let ignored = "signal_ignored_not_in_condition";
    world.expect_effect(world.signal(&suspended.target()), ignored).await?;
    Ok(())
}

/// Without a delay, with the policy's, and with its own.
#[case(SIG_013)]
async fn resumes(world: World) -> Verdict {
    world.sign().await?;
    for (policy, own, delay) in [
        (None, None, 0),
        (Some(60_000), None, 60_000),
        (Some(60_000), Some(0), 0),
        (None, Some(90_000), 90_000),
    ] {
        let claimed = world.claimed().await?;
        let mut args = world.plain_suspension();
        args.resume_policy.resume_delay_ms = policy;
        let suspended = world.suspended_by(claimed, args).await?;
        let signal =
            DeliverSignalArgs { resume_delay_ms: own, ..world.signal(&suspended.target()) };
        world.expect_effect(signal, MET).await?;
        let due = (delay > 0).then(|| world.due_in_ms(delay).to_string());
        let state = if delay > 0 { "delayed" } else { "resumable" };
        let expected = [("public_state", Some(state.to_owned())), ("delay_until", due)];
        world.expect_fields(&suspended.id, expected).await?;
    }
    Ok(())
}

/// Thirty-two for a count of three, and thirty-two while an operator cancels.
#[case(SIG_015, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    world.sign().await?;
    for _ in 0..4 {
        let claimed = world.claimed().await?;
        let args = world.suspending(count(3, CountKind::DistinctSignals, &["a"]), &["a"]);
        let suspended = world.suspended_by(claimed, args).await?;
        let target = suspended.target();
        let signals = (0..32).map(|_| world.signal(&target)).collect();
        let (mut met, mut accepted) = (0, Vec::new());
        for answer in world.all_at_once(signals).await? {
            match answer {
                Ok(DeliverSignalResult::Accepted { effect, signal_id }) => {
                    met += usize::from(effect == MET);
                    accepted.push(signal_id);
                }
                Ok(other) => {
                    return Err(Failure::new(format!("no signal is sent twice: {other:?}")));
                }
                late => expect_refused!(late, "state.waitpoint_closed"),
            }
        }
        expect_eq!((met, accepted.len()), (1, 3), "one meets it, three count");
        accepted.sort();
        let mut seen = world.observed(&suspended.instead).await?;
        seen.sort();
        expect_eq!(seen, accepted, "none is lost");
        world.expect_fields(&suspended.id, [("public_state", "resumable")]).await?;
    }
    let claimed = world.claimed().await?;
    let suspended = world.suspended_by(claimed, world.plain_suspension()).await?;
    let target = suspended.target();
    let signals = (0..32).map(|_| world.signal(&target)).collect();
    let cancelling = world.cancel_execution(cancellation(&suspended.id));
    let (answers, cancelled) = tokio::join!(world.all_at_once(signals), cancelling);
    cancelled?;
    let mut met = 0;
    for answer in answers? {
        match answer {
            Ok(_) => met += 1,
            Err(error) => {
                let codes = ["state.waitpoint_closed", "state.target_not_signalable"];
                expect!(codes.contains(&&*error.code()), "too late: {error}");
            }
        }
    }
    expect!(met <= 1, "{met} signals have met it");
    Ok(())
}

/// It counts like any other; waitpoints and executions that there are not.
#[case(SIG_017)]
async fn approvals(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let args = world.suspending(named_at("approved", "a"), &["a"]);
    let suspended = world.suspended_by(claimed, args).await?;
    let target = suspended.target();
    let nobody = Target { waitpoint: WaitpointId::from_uuid(world.uuid()), ..target.clone() };
    let unknown = world.deliver_approval_signal(world.approval(&nobody, "one")).await;
    expect_refused!(unknown, "not_found.waitpoint");
    let other = world.execution_in(suspended.id.partition());
    let foreign = Target { execution: other.create().await?, ..target.clone() };
    let foreign = world.deliver_approval_signal(world.approval(&foreign, "one")).await;
    expect_refused!(foreign, "not_found.waitpoint", "another's");
    let unknown = Target { execution: world.execution_id(), ..target.clone() };
    let unknown = world.deliver_approval_signal(world.approval(&unknown, "one")).await;
    expect_refused!(unknown, "not_found.execution");
    let mut rejected = world.approval(&target, "one");
    rejected.signal_name = "rejected".to_owned();
    world.deliver_approval_signal(rejected).await?;
    world.expect_fields(&suspended.id, [("public_state", "suspended")]).await?;
    let accepted = world.deliver_approval_signal(world.approval(&target, "one")).await?;
    let DeliverSignalResult::Accepted { signal_id, .. } = accepted else {
        return Err(Failure::new(format!("it is accepted, not {accepted:?}")));
    };
    world.expect_fields(&suspended.id, [("public_state", "resumable")]).await?;
    let observed = world.observe_signals(&suspended.instead).await?;
    let seen: Vec<_> = observed
        .iter()
        .map(|signal| {
            (signal.signal_id, &*signal.signal_name, &*signal.signal_category, &*signal.source_type)
        })
        .collect();
    expect_eq!(seen, [(signal_id, "approved", "approval", "operator")], "what counted");
    expect!(observed[0].payload.is_none(), "it has no payload");
    Ok(())
}

/// Another lane, and a token whose secret is gone.
#[case(SIG_018, needs(clock))]
async fn approvals_refused(world: World) -> Verdict {
    let suspended = world.suspended().await?;
    let target = suspended.target();
    let mut elsewhere = world.approval(&target, "one");
    elsewhere.lane_id = LaneId::new("other");
    let answer = world.deliver_approval_signal(elsewhere).await;
    expect_refused!(answer, "validation.invalid_input");
    let args = ff_core::contracts::RotateWaitpointHmacSecretAllArgs::new("next", "00ff", 0);
    world.rotate_waitpoint_hmac_secret_all(args).await?;
    world.pass_ms(1).await?;
    let answer = world.deliver_approval_signal(world.approval(&target, "one")).await;
    expect_refused!(answer, "validation.invalid_token");
    Ok(())
}

/// The same again, before and after; names and suffixes that read alike together.
#[case(SIG_019)]
async fn approvals_once(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let target = world.pending(&claimed, "wp").await?;
    let approve = async |name: &str, suffix: &str| {
        let mut args = world.approval(&target, suffix);
        args.signal_name = name.to_owned();
        world.deliver_approval_signal(args).await
    };
    let mut first = None;
    for (name, suffix) in
        [("a", "b:c"), ("a:b", "c"), ("a:", "b:c"), ("b", "b:c"), ("a", ""), ("a", "b")]
    {
        let accepted = approve(name, suffix).await?;
        let DeliverSignalResult::Accepted { signal_id, .. } = accepted else {
            return Err(Failure::new(format!("{name:?} {suffix:?} is new, not {accepted:?}")));
        };
        first.get_or_insert(signal_id);
        expect_eq!(approve(name, suffix).await?, duplicate(signal_id), "{name:?} {suffix:?} again");
    }
    for key in ["approval:a:b:c", "approval", "a", "1:a"] {
        world.expect_effect(keyed(world.signal(&target), key), KEPT).await?;
    }
    let mut args = world.taking(&target, "wp");
    args.resume_condition = named_at("last", "wp");
    let suspended = world.suspended_by(claimed, args).await?;
    world.expect_effect(world.signal_named(&target, "last"), MET).await?;
    let Some(first) = first else { return Ok(()) };
    expect_eq!(approve("a", "b:c").await?, duplicate(first), "resumed");
    world.cancel_execution(cancellation(&suspended.id)).await?;
    expect_eq!(approve("a", "b:c").await?, duplicate(first), "ended");
    Ok(())
}

/// While suspended, once resumed, by handles of every kind; what counted for nothing is not there.
#[case(SUS_040)]
async fn observed(world: World) -> Verdict {
    let claimed = world.signing().await?;
    expect_eq!(world.observed(&claimed.1).await?, [], "never suspended");
    let condition = all_of(vec![named_at("x", "a"), any_at("b")]);
    let args = world.suspending(condition, &["a", "b"]);
    let suspended = world.suspended_by(claimed, args).await?;
    let targets = suspended.targets();
    let mut counted = Vec::new();
    world.deliver_signal(world.signal_named(&targets[0], "y")).await?;
    let mut args = world.signal_named(&targets[0], "x");
    args.correlation_id = Some("it".to_owned());
    let accepted = world.now();
    counted.push(world.expect_effect(args.clone(), "appended_to_waitpoint").await?);
    world.deliver_signal(world.signal_named(&targets[0], "x")).await?;
    expect_eq!(world.observed(&suspended.instead).await?, [], "still suspended");
    world.pass_ms(5).await?;
    counted.push(world.expect_effect(world.signal(&targets[1]), MET).await?);
    let before = world.observe(&suspended.id).await?;
    for handle in [&suspended.instead, &suspended.handle] {
        let mut seen = world.observed(handle).await?;
        seen.sort();
        let mut expected = counted.clone();
        expected.sort();
        expect_eq!(seen, expected, "by a handle of kind {:?}", handle.kind);
    }
    let observed = world.observe_signals(&suspended.instead).await?;
    let first = observed.iter().find(|signal| signal.signal_id == counted[0]);
    let first = first.ok_or_else(|| Failure::new("the first is there"))?;
    world.expect_time(first.accepted_at, accepted, "when it came")?;
    let seen = (
        &*first.signal_name,
        &*first.correlation_id,
        &*first.signal_category,
        &*first.source_type,
        &*first.source_identity,
    );
    expect_eq!(seen, ("x", "it", "external", "suite", "tester"), "as it was delivered");
    expect_eq!(world.observe(&suspended.id).await?, before, "nothing has changed");

    let claimed = world.claimed().await?;
    let args = world.suspending(count(2, CountKind::DistinctSignals, &["a"]), &["a"]);
    let other = world.suspended_by(claimed, args).await?;
    let signal =
        world.expect_effect(world.signal(&other.target()), "appended_to_waitpoint").await?;
    world.resume(&other.id).await?;
    expect_eq!(world.observed(&other.instead).await?, [signal], "resumed by an operator");
    Ok(())
}

/// By time, and within a millisecond by id.
#[case(SUS_048, needs(clock))]
async fn observed_in_order(world: World) -> Verdict {
    let claimed = world.signing().await?;
    let args = world.suspending(count(8, CountKind::DistinctSignals, &["a"]), &["a"]);
    let suspended = world.suspended_by(claimed, args).await?;
    let mut expected = Vec::new();
    for _ in 0..2 {
        let mut now = Vec::new();
        for _ in 0..4 {
            let args = world.signal(&suspended.target());
            now.push(args.signal_id);
            world.deliver_signal(args).await?;
        }
        now.sort();
        expected.extend(now);
        world.pass_ms(1).await?;
    }
    expect_eq!(world.observed(&suspended.instead).await?, expected, "the order");
    Ok(())
}
