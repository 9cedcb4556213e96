//! Plays the lines of a script.

use std::collections::HashMap;
use std::time::Duration;

use ff_core::call::{Call, Reply};
use ff_core::dispatch::Dispatch;

use crate::play::generated::Universe;
use crate::play::generated::names::{Minted, canonical};
use crate::play::generated::observed::Known;
use crate::play::generated::step::{Leases, with_handles};
use crate::play::generated::story::{answer_text, call_text};
use crate::stage::{Difference, Failure, Verdict, World};

/// A line of a history.
pub(crate) enum Line {
    /// A call, and how its answer is told.
    Call(Call, String),
    /// So many milliseconds pass.
    Pass(u64),
}

/// A call that is answered like this.
pub(crate) fn call(call: impl Into<Call>, answer: impl Into<String>) -> Line {
    Line::Call(call.into(), answer.into())
}

/// So many milliseconds pass.
pub(crate) fn pass(millis: u64) -> Line {
    Line::Pass(millis)
}

/// Plays a history in an empty world.
pub(crate) async fn play(world: &World, lines: Vec<Line>) -> Verdict {
    Session::new(world).play(lines).await
}

/// A world in which calls name executions, flows and leases by short names.
pub(in crate::play) struct Session<'a> {
    pub(in crate::play) world: &'a World,
    leases: Leases,
    minted: Minted,
    /// What calls have named.
    pub(in crate::play) named: Known,
    story: Vec<String>,
}

impl<'a> Session<'a> {
    pub(in crate::play) fn new(world: &'a World) -> Self {
        Self {
            world,
            leases: Leases::new(),
            minted: Minted::Numbered(HashMap::new()),
            named: Known::default(),
            story: Vec::new(),
        }
    }

    pub(in crate::play) async fn play(&mut self, lines: Vec<Line>) -> Verdict {
        for line in lines {
            match line {
                Line::Pass(millis) => {
                    self.world.clock().advance(Duration::from_millis(millis));
                    self.story.push(format!("{millis} ms pass"));
                }
                Line::Call(call, expected) => {
                    let seen = self.make(&call).await?;
                    self.compare(&call, &expected, seen)?;
                }
            }
        }
        Ok(())
    }

    /// Makes a call; returns how its answer is told.
    pub(in crate::play) async fn make(&mut self, call: &Call) -> Result<String, Failure> {
        let bound = self.bound(call)?;
        let answer = self.world.dispatch(bound).await;
        if let (Call::Claim { policy, .. }, Ok(Reply::Claim(Some(handle)))) = (call, &answer) {
            let instance = policy.worker_instance_id.as_str().to_owned();
            self.leases.insert(instance, handle.clone());
        }
        Ok(answer_text(&canonical(&answer, &mut self.minted)))
    }

    /// The call with real handles.
    pub(in crate::play) fn bound(&mut self, call: &Call) -> Result<Call, Failure> {
        let universe = Universe::of(self.world.partitions());
        self.named.executions.extend(universe.executions_in(call));
        self.named.flows.extend(universe.flows_in(call));
        with_handles(call, &self.leases)
            .ok_or_else(|| self.failure(call, "names a lease that no claim has got", Vec::new()))
    }

    pub(in crate::play) fn compare(
        &mut self,
        call: &Call,
        expected: &str,
        seen: String,
    ) -> Verdict {
        if seen == expected {
            self.story.push(format!("{} → {seen}", call_text(call)));
            return Ok(());
        }
        let difference = Difference { what: String::new(), expected: expected.to_owned(), seen };
        Err(self.failure(call, "is answered otherwise", vec![difference]))
    }

    fn failure(&self, call: &Call, why: &str, differences: Vec<Difference>) -> Failure {
        let message = format!("{} {why}", call_text(call));
        Failure { differences, story: self.story.clone(), ..Failure::new(message) }
    }
}
