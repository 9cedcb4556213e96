//! What a case is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::Serialize;

use crate::failure::Failure;
use crate::generated::Generated;
use crate::world::World;
use crate::written::{Repetition, repeat};

/// What a case comes to.
pub type Verdict = Result<(), Failure>;

type Running = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// A check of one or more clauses.
#[derive(Clone)]
pub struct Case {
    /// Permanent: `executions.create.duplicate`. The first word is the chapter.
    pub slug: &'static str,
    /// What is special about it, in a sentence.
    pub title: &'static str,
    /// The ids of the clauses it checks.
    pub clauses: &'static [&'static str],
    /// What it needs beyond a backend.
    pub needs: &'static [Need],
    pub(crate) body: Body,
}

#[derive(Clone, Copy)]
pub(crate) enum Body {
    Written(fn(World) -> Running),
    /// Made for each method of the trait.
    Gate(ff_core::call::Method),
    /// Made of a call that is repeated.
    Repeated(&'static Repetition),
    /// Made of a call that is interrupted, in many deployments.
    Interrupted(&'static Repetition),
    /// Made of many deployments.
    Generated(Generated),
}

/// What a case needs beyond a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Need {
    /// A clock under the suite's control.
    Clock,
    /// Several calls at once.
    Concurrency,
    /// Means to cut off the server.
    Nemesis,
    /// A second deployment, apart from the first.
    Elsewhere,
    /// A list of what is due.
    Housekeeping,
}

impl Case {
    /// The chapter it belongs to.
    pub fn chapter(&self) -> &'static str {
        self.slug.split('.').next().unwrap_or(self.slug)
    }

    pub(crate) fn is_gate(&self) -> bool {
        matches!(self.body, Body::Gate(_))
    }

    pub(crate) async fn run(&self, world: World) -> Verdict {
        match self.body {
            Body::Written(body) => body(world).await,
            Body::Gate(method) => crate::cases::gate(world, method).await,
            Body::Repeated(repetition) => repeat(world, repetition).await,
            Body::Interrupted(_) | Body::Generated(_) => {
                unreachable!("the runner gives these a harness, not a world")
            }
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug)
    }
}

/// A line of a file's table of cases: slug, clauses, title, function, and what it needs.
macro_rules! case {
    ($slug:literal, [$($clause:literal),+ $(,)?], $title:literal, $body:path $(, $need:ident)* $(,)?) => {
        $crate::case::Case {
            slug: $slug,
            title: $title,
            clauses: &[$($clause),+],
            needs: &[$($crate::case::Need::$need),*],
            body: $crate::case::Body::Written(|world| Box::pin($body(world))),
        }
    };
}

pub(crate) use case;
