//! Plays steps on the model and on a backend, and compares.

use std::sync::Arc;
use std::time::Duration;

use ff_core::call::{Call, Reply};
use ff_core::capability::Supports;
use ff_core::clock::ManualClock;
use ff_core::engine_backend::EngineBackend;
use ff_core::housekeeping::Housekeeping;
use ff_core::types::ExecutionId;
use ff_mock::Take;
use serde_json::Value;

use super::event::assigned;
use super::names::{Minted, canonical, leaves};
use super::observed::observables;
use super::reference::{Answer, Reference, claimed_elsewhere};
use super::step::{ELSEWHERE, Given, Step, bound};
use super::story::{answer_text, call_text, value_text};
use crate::stage::{Coverage, Difference, Failure, KnownDifference, MOST_ROUNDS, made_at};

/// How long a call may take.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// A model and a backend that go through the same.
pub(crate) struct Player {
    reference: Reference,
    backend: Arc<dyn EngineBackend>,
    housekeeping: Option<Arc<dyn Housekeeping>>,
    clock: ManualClock,
    supports: Supports,
    tolerated: Vec<KnownDifference>,
    given: Given,
    minted: Sides,
    /// What was played, a line a step.
    pub(crate) story: Vec<String>,
    pub(crate) coverage: Coverage,
}

#[derive(Default)]
struct Sides {
    model: Minted,
    backend: Minted,
}

/// A backend answered otherwise than the model.
#[derive(Clone, Debug)]
pub(crate) struct Divergence {
    pub(crate) message: String,
    pub(crate) differences: Vec<Difference>,
    /// Whether its author knows of it.
    pub(crate) is_known: bool,
}

impl Player {
    /// `elsewhere` is a lease of another deployment of the backend.
    pub(crate) fn new(
        reference: Reference,
        backend: Arc<dyn EngineBackend>,
        housekeeping: Option<Arc<dyn Housekeeping>>,
        clock: ManualClock,
        elsewhere: Option<ff_core::backend::Handle>,
        tolerated: Vec<KnownDifference>,
    ) -> Self {
        let mut given = Given::default();
        given.leases.extend(elsewhere.map(|handle| (ELSEWHERE.to_owned(), handle)));
        let numbered = || Minted::Numbered(std::collections::HashMap::new());
        Self {
            supports: backend.capabilities().supports,
            reference,
            backend,
            housekeeping,
            clock,
            tolerated,
            given,
            minted: Sides { model: numbered(), backend: numbered() },
            story: Vec::new(),
            coverage: Coverage::default(),
        }
    }

    /// Plays one step.
    pub(crate) async fn play(&mut self, step: &Step) -> Result<(), Divergence> {
        match step {
            Step::Advance(millis) => {
                self.clock.advance(Duration::from_millis(*millis));
                self.reference.now = self.clock.now();
                self.story.push(format!("{millis} ms pass"));
            }
            Step::Observe => self.observe().await?,
            Step::Settle => self.settle().await?,
            Step::Call(call) => {
                // Without some step before it, a lease may be missing.
                if let Some(answer) = self.compare(call).await? {
                    let line = format!("{} → {}", call_text(call), answer_text(&answer));
                    self.story.push(line);
                }
            }
        }
        Ok(())
    }

    /// Compares what is due, and sees to it, until nothing is.
    async fn settle(&mut self) -> Result<(), Divergence> {
        let Some(housekeeping) = self.housekeeping.clone() else {
            return Ok(());
        };
        for _ in 0..MOST_ROUNDS {
            let mut all = Vec::new();
            for (partition, expected) in self.reference.due() {
                let seen = housekeeping.due(&partition, usize::from(u16::MAX)).await;
                let seen = seen.map(in_order);
                let told = expected.iter().filter_map(|call| bound(call, &self.given));
                if seen.as_ref() != Ok(&in_order(told.collect())) {
                    let told = |calls: &[Call]| calls.iter().map(call_text).collect::<Vec<_>>();
                    let seen = seen.map(|calls| told(&calls)).map_err(|error| error.to_string());
                    let expected = told(&expected);
                    return Err(Divergence {
                        message: format!("due in {partition}: {expected:?}, but listed: {seen:?}"),
                        differences: Vec::new(),
                        is_known: false,
                    });
                }
                all.extend(expected);
            }
            if all.is_empty() {
                return Ok(());
            }
            for call in all {
                if let Some(answer) = self.compare(&call).await? {
                    let line = format!("due: {} → {}", call_text(&call), answer_text(&answer));
                    self.story.push(line);
                }
            }
        }
        Err(Divergence {
            message: format!("something is still due after {MOST_ROUNDS} rounds"),
            differences: Vec::new(),
            is_known: false,
        })
    }

    /// Compares all that can be seen.
    pub(crate) async fn observe(&mut self) -> Result<(), Divergence> {
        let partitions = self.reference.universe.partitions;
        for call in observables(&self.reference.known(), &partitions, &self.supports) {
            self.compare(&call).await?;
        }
        Ok(())
    }

    /// Makes a call on both sides; returns how both answered.
    async fn compare(&mut self, call: &Call) -> Result<Option<Value>, Divergence> {
        let call = &made_at(call.clone(), self.reference.now);
        let Some(bound) = bound(call, &self.given) else {
            return Ok(None);
        };
        let backend = self.backend.as_ref();
        let Ok(answer) = tokio::time::timeout(CALL_LIMIT, bound.send(backend)).await else {
            return Err(diverged(call, format!("no answer within {CALL_LIMIT:?}"), Vec::new()));
        };
        self.coverage.count(call.method(), &answer);
        let take = match self.claimed(call, &answer).await {
            Ok(execution) => execution.map_or(Take::First, |id| Take::FirstIn(id.partition())),
            Err(message) => return Err(diverged(call, message, Vec::new())),
        };
        let now = self.reference.now;
        let Some((expected, after)) = self.reference.answer(call, now, take) else {
            let message = "the backend gave a lease that the model did not".to_owned();
            return Err(diverged(call, message, Vec::new()));
        };
        self.reference = after;
        self.given.learn(call, &answer);
        self.given.learn_both(&expected, &answer);
        let mut tolerated = self.tolerated.iter();
        let is_known = tolerated.any(|known| known.is(call.method(), &expected, &answer));
        let expected = canonical(&expected, &mut self.minted.model);
        let seen = canonical(&answer, &mut self.minted.backend);
        if expected == seen {
            return Ok(Some(seen));
        }
        let (expected_text, seen_text) = (answer_text(&expected), answer_text(&seen));
        let message = if expected_text.len() + seen_text.len() > 160 {
            "the model answers otherwise".to_owned()
        } else {
            format!("the model answers {expected_text}, the backend {seen_text}")
        };
        let differences = differing(&expected, &seen);
        Err(Divergence { is_known, ..diverged(call, message, differences) })
    }

    /// Which execution a claim got: the one that shows its worker instance.
    async fn claimed(&self, call: &Call, answer: &Answer) -> Result<Option<ExecutionId>, String> {
        if let Some(id) = assigned(answer) {
            return Ok(Some(id.clone()));
        }
        let (Call::Claim { policy, .. }, Ok(Reply::Claim(Some(_)))) = (call, answer) else {
            return Ok(None);
        };
        let candidates = self.reference.claimable(call, self.reference.now).unwrap_or_default();
        // With one partition to take from, there is nothing to find out.
        if candidates.len() < 2 {
            return Ok(None);
        }
        for execution in self.reference.snapshot.executions() {
            let shown = self.backend.describe_execution(&execution.id).await;
            let lease = match shown {
                Ok(snapshot) => snapshot.and_then(|snapshot| snapshot.current_lease),
                Err(error) => return Err(format!("describe_execution: {error}")),
            };
            if lease.is_some_and(|lease| lease.worker_instance_id == policy.worker_instance_id) {
                return Ok(Some(execution.id.clone()));
            }
        }
        Err("a lease was given, but no execution shows who holds it".to_owned())
    }
}

/// Calls that are due at one time about things that a backend has minted come in an order of its own.
fn in_order(mut due: Vec<Call>) -> Vec<Call> {
    due.sort_by_cached_key(|call| match call {
        Call::CloseWaitpoint { waitpoint_id, .. } => Some(waitpoint_id.clone()),
        _ => None,
    });
    due
}

fn diverged(call: &Call, message: String, differences: Vec<Difference>) -> Divergence {
    let message = format!("{}: {message}", call_text(call));
    Divergence { message, differences, is_known: false }
}

/// The leaves in which two answers differ.
fn differing(expected: &Value, seen: &Value) -> Vec<Difference> {
    let (expected, seen) = (leaves(expected), leaves(seen));
    let mut names: Vec<&String> = expected.iter().chain(&seen).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let told = |side: &[(String, String)], name: &String| {
        let leaf = side.iter().find(|(known, _)| known == name);
        leaf.map_or_else(|| "nothing".to_owned(), |(_, value)| value_text(value))
    };
    names
        .into_iter()
        .map(|name| Difference {
            what: name.clone(),
            expected: told(&expected, name),
            seen: told(&seen, name),
        })
        .filter(|difference| difference.expected != difference.seen)
        .collect()
}

/// A lease of an execution that only this deployment knows.
pub(crate) async fn lease_elsewhere(
    backend: &dyn EngineBackend,
    partitions: ff_core::partition::PartitionConfig,
) -> Result<ff_core::backend::Handle, Failure> {
    let [create, claim] = claimed_elsewhere(partitions);
    create.send(backend).await?;
    match claim.send(backend).await? {
        Reply::Claim(Some(handle)) => Ok(handle),
        other => Err(Failure::new(format!("there is work to claim, not {other:?}"))),
    }
}
