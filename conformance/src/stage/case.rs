//! What is known of a case before it is played.

use std::fmt;

use ff_core::contract::{Level, Version, clause};
use serde::Serialize;

use super::failure::Failure;

/// The result of a case.
pub type Verdict = Result<(), Failure>;

/// A check of one or more clauses, by name.
#[derive(Clone)]
pub struct CaseInfo {
    /// Permanent: `executions.create.duplicate`. The first word is the chapter.
    pub slug: &'static str,
    /// What is special about it, in a sentence.
    pub title: &'static str,
    /// The ids of the clauses it checks.
    pub clauses: &'static [&'static str],
    /// What it needs beyond a backend.
    pub needs: &'static [Need],
}

/// What a case needs beyond a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Need {
    /// A clock that can be turned, to the millisecond and for hours.
    Clock,
    /// Several calls at once.
    Concurrency,
    /// Means to cut off the server.
    Nemesis,
    /// Means to damage what is stored.
    Vandal,
    /// A second deployment, apart from the first.
    Elsewhere,
    /// A list of what is due.
    Housekeeping,
    /// A backend that does nothing by itself.
    Passive,
}

impl CaseInfo {
    /// The chapter it belongs to.
    pub fn chapter(&self) -> &'static str {
        self.slug.split('.').next().unwrap_or(self.slug)
    }

    /// The level of its clauses, all of which have the same.
    pub fn level(&self) -> Level {
        let levels = self.clauses.iter().filter_map(|id| clause(id));
        levels.map(|clause| clause.level).min().unwrap_or(Level::Must)
    }

    /// The version of the contract that has all of its clauses.
    pub fn since(&self) -> Version {
        let clauses = self.clauses.iter().filter_map(|id| clause(id));
        clauses.map(|clause| clause.since).max().unwrap_or_else(Version::first)
    }
}

impl fmt::Debug for CaseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug)
    }
}
