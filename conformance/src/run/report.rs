//! The report: the one source of everything that is shown of a run.

use std::iter::Sum;
use std::path::Path;

use ff_core::call::Method;
use ff_core::contract::{self, Binds, Level, Version};
use serde::{Deserialize, Serialize};

use super::registry::registry;
use crate::stage::{Cause, Difference, GeneratedReport, Options};

/// The JSON Schema that a report obeys.
pub const SCHEMA: &str = include_str!("../../report.schema.json");

/// A run of the suite.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub suite_version: String,
    /// From which every random choice of the run follows.
    pub seed: u64,
    pub duration_ms: u64,
    pub backends: Vec<BackendReport>,
    pub contract: ContractReport,
    pub methods: MethodsReport,
}

/// A backend's part of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackendReport {
    pub name: String,
    /// What it calls itself; absent if it never came up.
    pub identity: Option<Identity>,
    pub server_version: Option<String>,
    /// How it came by its storage.
    pub provisioned: String,
    pub totals: Totals,
    /// What the cases say of each chapter, level by level.
    pub chapters: Vec<ChapterReport>,
    pub duration_ms: u64,
    pub cases: Vec<CaseReport>,
}

/// What a backend calls itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub family: String,
    pub version: String,
    pub stage: String,
}

/// Whether a backend keeps the clauses of one level in one chapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChapterReport {
    pub chapter: String,
    pub level: Level,
    pub verdict: Kept,
    pub totals: Totals,
}

/// Whether clauses are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kept {
    /// Every case that could be played has passed.
    Kept,
    /// A case has failed.
    Broken,
    /// No case could be played.
    Untried,
}

/// How many cases have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    pub advised: usize,
    pub newer: usize,
    pub unsupported: usize,
    pub skipped: usize,
}

/// The result of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseReport {
    pub slug: String,
    pub chapter: String,
    pub clauses: Vec<String>,
    /// The level of its clauses.
    pub level: Level,
    pub status: Status,
    /// Why it did not pass: the failure's first line, the unclaimed method, the missing need.
    pub reason: Option<String>,
    pub millis: u64,
    pub failure: Option<FailureReport>,
    /// What was generated, where calls were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<GeneratedReport>,
}

/// What there is to say about a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    pub message: String,
    pub differences: Vec<Difference>,
    /// Whether the case could not be set up: then it says nothing of its clauses.
    pub setup: bool,
    /// What it has in common with failures that stem from the same mistake.
    pub cause: Option<Cause>,
    /// The last calls of the case and how each was answered, oldest first.
    pub story: Vec<String>,
    /// The command that runs just this case again.
    pub rerun: String,
}

/// The status of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    Passed,
    /// A MUST is not kept.
    Failed,
    /// A SHOULD is not kept.
    Advised,
    /// A clause is not kept that is newer than the contract that the backend is held to.
    Newer,
    /// The backend does not claim a method that the case calls, and does not answer it either.
    Unsupported,
    /// Something that the case needs is not there.
    Skipped,
}

/// How much of the contract the suite covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractReport {
    /// The version that backends were held to.
    pub version: Version,
    pub clauses: usize,
    pub must: usize,
    /// Clauses without a case.
    pub uncovered: Vec<String>,
}

/// How many methods have clauses of their own, beyond those that bind every method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodsReport {
    pub total: usize,
    pub bound: usize,
    pub unbound: Vec<String>,
}

impl Report {
    /// The report of a run with these options.
    pub fn new(options: Options, duration_ms: u64, backends: Vec<BackendReport>) -> Self {
        Self {
            suite_version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: options.seed,
            duration_ms,
            backends,
            contract: ContractReport::measure(options.contract),
            methods: MethodsReport::measure(),
        }
    }

    /// Writes it as `report.json` into the directory, which is made if need be.
    pub fn write(&self, directory: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(directory)?;
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(directory.join("report.json"), json + "\n")
    }

    pub fn totals(&self) -> Totals {
        self.backends.iter().map(|backend| backend.totals).sum()
    }
}

impl Totals {
    pub(crate) fn of<'a>(cases: impl IntoIterator<Item = &'a CaseReport>) -> Self {
        let mut totals = Self::default();
        for case in cases {
            *totals.of_status(case.status) += 1;
        }
        totals
    }

    fn of_status(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Passed => &mut self.passed,
            Status::Failed => &mut self.failed,
            Status::Advised => &mut self.advised,
            Status::Newer => &mut self.newer,
            Status::Unsupported => &mut self.unsupported,
            Status::Skipped => &mut self.skipped,
        }
    }

    /// Whether the backend conforms; strictly, if it keeps the SHOULDs as well.
    pub fn conforms(&self, strictly: bool) -> bool {
        self.failed == 0 && (self.advised == 0 || !strictly)
    }

    fn verdict(&self) -> Kept {
        match self {
            Self { failed: 1.., .. } | Self { advised: 1.., .. } => Kept::Broken,
            Self { passed: 0, .. } => Kept::Untried,
            _ => Kept::Kept,
        }
    }
}

impl Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            passed: sum.passed + one.passed,
            failed: sum.failed + one.failed,
            advised: sum.advised + one.advised,
            newer: sum.newer + one.newer,
            unsupported: sum.unsupported + one.unsupported,
            skipped: sum.skipped + one.skipped,
        })
    }
}

impl ChapterReport {
    /// What these cases say of each chapter that they are of.
    pub(crate) fn of(cases: &[CaseReport]) -> Vec<Self> {
        let mut groups: Vec<(&str, Level)> = Vec::new();
        for case in cases {
            let group = (case.chapter.as_str(), case.level);
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let place = |name: &str| contract::chapters().iter().position(|c| c.name == name);
        groups.sort_by_key(|(chapter, level)| (place(chapter), *level));
        let report = |(chapter, level): (&str, Level)| {
            let of = |case: &&CaseReport| case.chapter == chapter && case.level == level;
            let totals = Totals::of(cases.iter().filter(of));
            Self { chapter: chapter.to_owned(), level, verdict: totals.verdict(), totals }
        };
        groups.into_iter().map(report).collect()
    }
}

impl ContractReport {
    fn measure(version: Version) -> Self {
        let cases = registry();
        let uncovered = contract::clauses()
            .filter(|clause| !cases.iter().any(|case| case.clauses.contains(&clause.id.as_str())));
        Self {
            version,
            clauses: contract::clauses().count(),
            must: contract::clauses().filter(|clause| clause.level == Level::Must).count(),
            uncovered: uncovered.map(|clause| clause.id.clone()).collect(),
        }
    }
}

impl MethodsReport {
    fn measure() -> Self {
        let bound = |method: &Method| {
            contract::clauses().any(|clause| match &clause.binds {
                Binds::All => false,
                Binds::These(methods) => methods.contains(method),
            })
        };
        let (bound, unbound): (Vec<Method>, Vec<Method>) =
            Method::ALL.iter().partition(|m| bound(m));
        Self {
            total: Method::ALL.len(),
            bound: bound.len(),
            unbound: unbound.iter().map(ToString::to_string).collect(),
        }
    }
}
