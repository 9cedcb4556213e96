//! Random graphs, and what is to happen in them.

use std::fmt;

use ff_core::contracts::{EdgeDependencyPolicy, OnSatisfied};
use ff_core::state::TerminalOutcome;
use rand::Rng;
use rand::rngs::StdRng;

/// Members at most.
const MOST: usize = 40;

/// A graph without cycles: edges lead from members to later ones.
pub(super) struct Plan {
    pub(super) members: Vec<Member>,
    pub(super) edges: Vec<Edge>,
}

pub(super) struct Member {
    /// How many of its dependencies must succeed; all if nothing is said.
    pub(super) policy: Option<EdgeDependencyPolicy>,
    /// How it ends if it may run.
    pub(super) outcome: TerminalOutcome,
    /// Whether a worker holds it before anything is decided.
    pub(super) held: bool,
}

pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether it takes effect.
    pub(super) applied: bool,
}

impl Plan {
    /// Mostly a few members, sometimes up to 40.
    pub(super) fn draw(rng: &mut StdRng) -> Self {
        let size = match rng.random_range(0..20) {
            0 => rng.random_range(11..=MOST),
            1..8 => rng.random_range(5..=10),
            _ => rng.random_range(2..=4),
        };
        let members = (0..size).map(|_| Member::draw(rng)).collect();
        let mut edges = Vec::new();
        for to in 1..size {
            for _ in 0..rng.random_range(0..=3) {
                edges.push(Edge {
                    // Mostly from one close by, so that there are long ways as well.
                    from: to - rng.random_range(1..=to.min(4)),
                    to,
                    applied: rng.random_bool(0.9),
                });
            }
        }
        Self { members, edges }
    }

    /// The edges that take effect on a member.
    pub(super) fn entering(&self, member: usize) -> impl Iterator<Item = &Edge> {
        let edges = self.edges.iter();
        edges.filter(move |edge| edge.to == member && edge.applied)
    }

    /// The edges that take effect on others when a member ends.
    pub(super) fn leaving(&self, member: usize) -> impl Iterator<Item = &Edge> {
        let edges = self.edges.iter();
        edges.filter(move |edge| edge.from == member && edge.applied)
    }
}

impl Member {
    fn draw(rng: &mut StdRng) -> Self {
        let on_satisfied =
            if rng.random() { OnSatisfied::LetRun } else { OnSatisfied::CancelRemaining };
        Self {
            policy: match rng.random_range(0..6) {
                0 => Some(EdgeDependencyPolicy::all_of()),
                1 => Some(EdgeDependencyPolicy::any_of(on_satisfied)),
                2 | 3 => {
                    let k = rng.random_range(1..=4);
                    Some(EdgeDependencyPolicy::quorum(k, on_satisfied))
                }
                _ => None,
            },
            outcome: match rng.random_range(0..10) {
                0 | 1 => TerminalOutcome::Failed,
                2 => TerminalOutcome::Cancelled,
                _ => TerminalOutcome::Success,
            },
            held: rng.random_bool(0.1),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, member) in self.members.iter().enumerate() {
            let held = if member.held { ", held" } else { "" };
            let needs = member.policy.unwrap_or_default();
            write!(f, "{at}: {}{held}", member.outcome.as_str())?;
            for edge in self.edges.iter().filter(|edge| edge.to == at) {
                let sort = if edge.applied { "<-" } else { "<- (staged)" };
                write!(f, " {sort} {}", edge.from)?;
            }
            writeln!(f, ", {needs:?}")?;
        }
        Ok(())
    }
}
