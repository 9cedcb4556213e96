//! The same call ten times: one after the other, and from ten tasks at once.

use std::sync::Arc;

use async_trait::async_trait;
use ff_core::call::{Call, Method};
use ff_core::contract::{Level, clause};
use ff_core::dispatch::Dispatch;
use ff_core::types::FlowId;
use tokio::sync::Barrier;

use super::fixture::Fixture;
use super::session::{Line, Session, snapped};
use crate::play::generated::names::{Minted, canonical};
use crate::play::generated::observed::{Known, observables};
use crate::play::generated::story::call_text;
use crate::stage::{Failure, Play, Played, Stage, Verdict, World, play_in_world};

pub(super) const TIMES: usize = 10;

/// A call that is made ten times, and how it is answered.
pub(crate) struct Repetition {
    pub(crate) method: Method,
    /// The ids of the clauses that the answers follow from.
    pub(crate) clauses: &'static [&'static str],
    /// Leads to where the call is made.
    pub(crate) before: fn(&Fixture) -> Vec<Line>,
    pub(crate) call: fn(&Fixture) -> Call,
    /// The ten answers in order, each with how often it comes. The calls that are answered like the
    /// last change nothing, unless all are.
    pub(crate) answers: &'static [(usize, &'static str)],
}

impl Repetition {
    /// Its clauses, and that calls at once leave what calls in turn do. That is a MUST, and a case is of one level.
    pub(super) fn and_in_turn(&self) -> &'static [&'static str] {
        let is_must = |id: &&str| clause(id).is_some_and(|clause| clause.level == Level::Must);
        if !self.clauses.iter().all(is_must) {
            return self.clauses;
        }
        // Made once for the life of the process.
        [self.clauses, &["SYS-012"]].concat().leak()
    }

    pub(super) fn expected(&self) -> Vec<&'static str> {
        let answers = self.answers.iter();
        let each = answers.flat_map(|(times, answer)| std::iter::repeat_n(*answer, *times));
        each.collect()
    }

    /// The calls after which nothing changes any more.
    fn effective(&self) -> usize {
        match self.answers {
            [.., (last, _)] if *last < TIMES => TIMES - last,
            _ => 1,
        }
    }
}

/// The case that a call repeated is answered as its clauses say.
pub(super) struct Repeated(pub(super) &'static Repetition);

#[async_trait]
impl Play for Repeated {
    async fn play(&self, stage: Stage) -> Played {
        let repetition = self.0;
        play_in_world(stage, |world| Box::pin(repeat(world, repetition))).await
    }
}

/// Makes the call ten times in one world, and from ten tasks at once in another: the answers are
/// those expected, in any order where calls overlap, and both worlds show the same afterwards.
async fn repeat(world: World, repetition: &Repetition) -> Verdict {
    let expected = repetition.expected();
    let mut session = Session::new(&world).with_names_alike();
    let fixture = Fixture::of(&world);
    session.play((repetition.before)(&fixture)).await?;
    let call = (repetition.call)(&fixture);
    let mut changed = Vec::new();
    for (made, expected) in expected.iter().enumerate() {
        let seen = session.make(&call).await?;
        session.compare(&call, expected, seen)?;
        if made + 1 == repetition.effective() {
            changed = session.observed().await;
        }
    }
    let after = session.observed().await;
    let after = snapped(after, &changed, 0..=world.lag());
    expect_eq!(after, changed, "the last repetitions change nothing");

    let mut session = Session::new(world.elsewhere());
    let fixture = Fixture::of(world.elsewhere());
    session.play((repetition.before)(&fixture)).await?;
    let call = (repetition.call)(&fixture);
    let mut seen = session.make_at_once(&call).await?;
    let mut expected = expected;
    seen.sort_unstable();
    expected.sort_unstable();
    let seen = snapped(seen, &expected, 0..=world.elsewhere().lag());
    expect_eq!(seen, expected, "ten at once of {}", call_text(&call));
    let overlapped = session.observed().await;
    let overlapped = snapped(overlapped, &after, -world.lag()..=world.elsewhere().lag());
    expect_eq!(overlapped, after, "calls at once leave what calls in turn leave");
    Ok(())
}

impl Session<'_> {
    /// Makes a call from ten tasks at once; returns how the answers are told.
    async fn make_at_once(&mut self, call: &Call) -> Result<Vec<String>, Failure> {
        let bound = self.bound(call)?;
        let together = Arc::new(Barrier::new(TIMES));
        let tasks = (0..TIMES).map(|_| {
            let (world, bound) = (self.world.clone(), bound.clone());
            let together = Arc::clone(&together);
            tokio::spawn(async move {
                together.wait().await;
                world.dispatch(bound).await
            })
        });
        let mut seen = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            let answer = task.await;
            let answer = answer.map_err(|panic| Failure::new(format!("a task died: {panic}")))?;
            seen.push(self.told(canonical(&answer, &mut Minted::Alike)));
        }
        Ok(seen)
    }

    /// What was named; any execution may be a member of any flow.
    fn known(&self) -> Known {
        let mut known = self.named.clone();
        let pairs = |flow: &FlowId| {
            let flow = *flow;
            known.executions.iter().map(move |id| (flow, id.clone()))
        };
        known.members = known.flows.iter().flat_map(pairs).collect();
        known
    }

    /// The reads of what was named.
    pub(super) fn reads(&self) -> Vec<Call> {
        let supports = self.world.capabilities().supports;
        observables(&self.known(), &self.world.partitions(), &supports)
    }

    /// All that can be seen of what was named, a line each.
    pub(in crate::play) async fn observed(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for read in self.reads() {
            let text = call_text(&read);
            let answer = self.world.look(read).await;
            let answer = self.told(canonical(&answer, &mut Minted::Alike));
            lines.push(format!("{text} → {answer}"));
        }
        lines
    }
}
