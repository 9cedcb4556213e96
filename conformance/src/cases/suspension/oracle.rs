//! Conditions and orders of signals that nobody thought of, judged by an oracle that is written from the
//! clauses alone: it looks at all signals again after each.

use std::collections::BTreeSet;

use ff_core::backend::{CompositeBody, ResumeCondition, SignalMatcher, TimeoutBehavior};
use ff_core::contracts::{CountKind, DeliverSignalArgs, DeliverSignalResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{SignalId, WaitpointId};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::stage::{ManyTimes, Verdict, World, declare};

/// Conditions in a run of the default length.
const CONDITIONS: usize = 500;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];
const NAMES: [&str; 3] = ["x", "y", "z"];

/// The most signals that one suspension gets.
const SIGNALS: usize = 12;

declare!(|topic| {
    vec![topic.beside("conditions").case(
        "generated",
        "Generated conditions and orders of signals, judged by an oracle.",
        &["SUS-012", "SUS-013", "SUS-014", "SUS-040"],
        &[],
        ManyTimes(CONDITIONS, |world, times| Box::pin(agree(world, times))),
    )]
});

declare!(|topic| {
    vec![topic.beside("conditions").case(
        "effects",
        "What each signal does to generated conditions, judged by an oracle.",
        &["SIG-012"],
        &[],
        ManyTimes(CONDITIONS / 5, |world, times| Box::pin(tell_effects(world, times))),
    )]
});

/// A signal that was accepted.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    id: SignalId,
    key: &'static str,
    name: &'static str,
    source: (&'static str, &'static str),
}

/// A part that counts: how many of what, where, and of which name.
struct Counter<'c> {
    needed: usize,
    kind: CountKind,
    name: Option<&'c str>,
    keys: Vec<&'c str>,
}

impl Counter<'_> {
    fn fits(&self, signal: &Sent) -> bool {
        self.keys.contains(&signal.key) && self.name.is_none_or(|name| name == signal.name)
    }

    /// How many different ones there are among these.
    fn reached(&self, signals: &[Sent]) -> usize {
        let fitting = signals.iter().filter(|signal| self.fits(signal));
        let different: BTreeSet<String> = fitting
            .map(|signal| match self.kind {
                CountKind::DistinctWaitpoints => format!("{:?}", signal.key),
                CountKind::DistinctSources => format!("{:?}", signal.source),
                _ => signal.id.to_string(),
            })
            .collect();
        different.len()
    }

    /// Whether the last of these counts for it.
    fn counts_last(&self, signals: &[Sent]) -> bool {
        let before = self.reached(&signals[..signals.len() - 1]);
        before < self.needed && self.reached(signals) > before
    }
}

fn name_of(matcher: &SignalMatcher) -> Option<&str> {
    match matcher {
        SignalMatcher::ByName(name) => Some(name),
        _ => None,
    }
}

/// The part that a condition is by itself, if it is one that counts (SUS-012, SUS-014).
fn counter(condition: &ResumeCondition) -> Option<Counter<'_>> {
    match condition {
        ResumeCondition::Single { matcher, waitpoint_key } => Some(Counter {
            needed: 1,
            kind: CountKind::DistinctSignals,
            name: name_of(matcher),
            keys: vec![waitpoint_key],
        }),
        ResumeCondition::Composite(CompositeBody::Count { count_kind, matcher, n, waitpoints }) => {
            Some(Counter {
                needed: *n as usize,
                kind: *count_kind,
                name: matcher.as_ref().and_then(name_of),
                keys: waitpoints.iter().map(String::as_str).collect(),
            })
        }
        _ => None,
    }
}

fn members(condition: &ResumeCondition) -> &[ResumeCondition] {
    match condition {
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => members,
        _ => &[],
    }
}

/// Whether these signals meet the condition (SUS-012 to SUS-014).
fn is_met(condition: &ResumeCondition, signals: &[Sent]) -> bool {
    if let Some(counter) = counter(condition) {
        return counter.reached(signals) >= counter.needed;
    }
    let members = members(condition);
    !members.is_empty() && members.iter().all(|member| is_met(member, signals))
}

fn counters<'c>(condition: &'c ResumeCondition, into: &mut Vec<Counter<'c>>) {
    into.extend(counter(condition));
    for member in members(condition) {
        counters(member, into);
    }
}

/// What the last of these signals does (SIG-012).
fn effect(condition: &ResumeCondition, signals: &[Sent]) -> &'static str {
    let Some(last) = signals.last() else { return "" };
    let mut all = Vec::new();
    counters(condition, &mut all);
    all.retain(|counter| counter.keys.contains(&last.key));
    if is_met(condition, signals) {
        "resume_condition_satisfied"
    } else if all.iter().any(|counter| counter.counts_last(signals)) {
        "appended_to_waitpoint"
    } else if all.iter().any(|counter| counter.fits(last)) {
        "appended_to_waitpoint_duplicate"
    } else if all.is_empty() {
        "signal_ignored_not_in_condition"
    } else {
        "signal_ignored_matcher_failed"
    }
}

fn has_timeout(condition: &ResumeCondition) -> bool {
    matches!(condition, ResumeCondition::TimeoutOnly) || members(condition).iter().any(has_timeout)
}

fn matcher(random: &mut StdRng) -> SignalMatcher {
    match NAMES.choose(random) {
        Some(name) if random.random_ratio(1, 2) => SignalMatcher::ByName((*name).to_owned()),
        _ => SignalMatcher::Wildcard,
    }
}

/// A sound condition (SUS-047), at most `depth` all-ofs and counts deep.
fn generate(random: &mut StdRng, depth: usize) -> ResumeCondition {
    let choice = random.random_range(0..20);
    match choice {
        0 => ResumeCondition::OperatorOnly,
        1 => ResumeCondition::TimeoutOnly,
        2..=9 if depth > 0 => {
            let count = random.random_range(1..=3);
            let members = (0..count).map(|_| generate(random, depth - 1)).collect();
            ResumeCondition::Composite(CompositeBody::AllOf { members })
        }
        10..=15 if depth > 0 => {
            let most = random.random_range(1..=KEYS.len());
            let keys: Vec<String> =
                KEYS.choose_multiple(random, most).map(|key| (*key).to_owned()).collect();
            let kinds = [
                CountKind::DistinctSignals,
                CountKind::DistinctSources,
                CountKind::DistinctWaitpoints,
            ];
            let count_kind = *kinds.choose(random).unwrap_or(&CountKind::DistinctSignals);
            let most = if count_kind == CountKind::DistinctWaitpoints { most } else { 4 };
            let n = u32::try_from(random.random_range(1..=most)).unwrap_or(1);
            let matcher = random.random_ratio(1, 2).then(|| matcher(random));
            let body = CompositeBody::Count { count_kind, matcher, n, waitpoints: keys };
            ResumeCondition::Composite(body)
        }
        _ => ResumeCondition::Single {
            matcher: matcher(random),
            waitpoint_key: KEYS[random.random_range(0..KEYS.len())].to_owned(),
        },
    }
}

/// A suspended execution whose condition was generated, and where its signals go.
struct Subject {
    condition: ResumeCondition,
    suspended: crate::stage::Suspended,
    waitpoints: Vec<(&'static str, WaitpointId)>,
}

impl World {
    async fn generated(&self, random: &mut StdRng) -> Result<Subject, crate::stage::Failure> {
        let condition = generate(random, 4);
        let mut all = Vec::new();
        counters(&condition, &mut all);
        let is_named = |key: &&str| all.iter().any(|counter| counter.keys.contains(key));
        let mut keys: Vec<&'static str> = KEYS.into_iter().filter(is_named).collect();
        if keys.is_empty() {
            keys.push("a");
        }
        let mut args = self.suspending(condition.clone(), &keys);
        if has_timeout(&condition) {
            args = args.with_timeout(self.in_ms(3_600_000), TimeoutBehavior::Fail);
        }
        let claimed = self.claimed().await?;
        let suspended = self.suspended_by(claimed, args).await?;
        let at = suspended.targets().into_iter().map(|target| target.waitpoint);
        let waitpoints = keys.into_iter().zip(at).collect();
        Ok(Subject { condition, suspended, waitpoints })
    }
}

impl Subject {
    /// A signal to one of its waitpoints, sometimes one that was sent before.
    fn draw(
        &self,
        world: &World,
        sent: &[Sent],
        random: &mut StdRng,
    ) -> (Sent, DeliverSignalArgs, bool) {
        let (key, waitpoint) = self.waitpoints[random.random_range(0..self.waitpoints.len())];
        let kinds = ["user", "system"];
        let new = Sent {
            id: SignalId::from_uuid(world.uuid()),
            key,
            name: ["x", "y", "z", "w"][random.random_range(0..4)],
            source: (kinds[random.random_range(0..2)], ["1", "2"][random.random_range(0..2)]),
        };
        let again = sent.choose(random).filter(|_| random.random_ratio(1, 8)).cloned();
        let is_again = again.is_some();
        let signal = again.unwrap_or(new);
        let at = self.waitpoints.iter().find(|(key, _)| *key == signal.key);
        let at = at.map_or(waitpoint, |(_, id)| *id);
        let targets = self.suspended.targets();
        let target = targets.into_iter().find(|target| target.waitpoint == at);
        let target = target.unwrap_or_else(|| self.suspended.target());
        let args = DeliverSignalArgs {
            signal_id: signal.id,
            signal_name: signal.name.to_owned(),
            source_type: signal.source.0.to_owned(),
            source_identity: signal.source.1.to_owned(),
            ..world.signal(&target)
        };
        (signal, args, is_again)
    }
}

/// Each suspension ends with the signal that meets its condition, and no earlier; those that counted are shown.
async fn agree(world: World, times: usize) -> Verdict {
    world.sign().await?;
    let mut random = StdRng::seed_from_u64(world.uuid().as_u64_pair().0);
    for _ in 0..times {
        let subject = world.generated(&mut random).await?;
        let (condition, id) = (&subject.condition, &subject.suspended.id);
        let (mut sent, mut counted) = (Vec::new(), Vec::new());
        for _ in 0..SIGNALS {
            let (signal, args, is_again) = subject.draw(&world, &sent, &mut random);
            let answer = world.deliver_signal(args).await?;
            if is_again {
                let known = DeliverSignalResult::Duplicate { existing_signal_id: signal.id };
                expect_eq!(answer, known, "the signal again");
                continue;
            }
            sent.push(signal.clone());
            let mut parts = Vec::new();
            counters(condition, &mut parts);
            if parts.iter().any(|part| part.counts_last(&sent)) {
                counted.push(signal.id);
            }
            if is_met(condition, &sent) {
                break;
            }
        }
        let is_met = is_met(condition, &sent);
        let expected = if is_met { "resumable" } else { "suspended" };
        let state = world.field(id, "public_state").await?;
        let what = format!("after {sent:?} with the condition {condition:?}");
        expect_eq!(state.as_deref(), Some(expected), "{what}");
        let mut seen = world.observed(&subject.suspended.instead).await?;
        seen.sort();
        if !is_met {
            counted.clear();
        }
        counted.sort();
        expect_eq!(seen, counted, "what counted {what}");
    }
    Ok(())
}

/// Each signal has the effect that the oracle tells.
async fn tell_effects(world: World, times: usize) -> Verdict {
    world.sign().await?;
    let mut random = StdRng::seed_from_u64(world.uuid().as_u64_pair().0);
    for _ in 0..times {
        let subject = world.generated(&mut random).await?;
        let condition = &subject.condition;
        let mut sent = Vec::new();
        for _ in 0..SIGNALS {
            let (signal, args, is_again) = subject.draw(&world, &sent, &mut random);
            let answer = world.deliver_signal(args).await?;
            if is_again {
                continue;
            }
            sent.push(signal.clone());
            let (effect, signal_id) = (effect(condition, &sent).to_owned(), signal.id);
            let expected = DeliverSignalResult::Accepted { effect, signal_id };
            expect_eq!(answer, expected, "after {sent:?} with the condition {condition:?}");
            if is_met(condition, &sent) {
                break;
            }
        }
    }
    Ok(())
}
