//! The report: the one source of everything that is shown of a run.

use std::path::Path;

use ff_core::call::Method;
use ff_core::contract::{self, Binds, Level};
use serde::{Deserialize, Serialize};

use super::registry::registry;
use crate::stage::{Difference, GeneratedReport};

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

/// How many cases have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    pub unsupported: usize,
    pub skipped: usize,
}

/// The result of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseReport {
    pub slug: String,
    pub chapter: String,
    pub clauses: Vec<String>,
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
    Failed,
    /// The backend does not claim a method that the case calls, and does not answer it either.
    Unsupported,
    /// Something that the case needs is not there.
    Skipped,
}

/// How much of the contract the suite covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractReport {
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
    pub fn new(seed: u64, duration_ms: u64, backends: Vec<BackendReport>) -> Self {
        Self {
            suite_version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            duration_ms,
            backends,
            contract: ContractReport::measure(),
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
        self.backends.iter().fold(Totals::default(), |sum, backend| Totals {
            passed: sum.passed + backend.totals.passed,
            failed: sum.failed + backend.totals.failed,
            unsupported: sum.unsupported + backend.totals.unsupported,
            skipped: sum.skipped + backend.totals.skipped,
        })
    }
}

impl Totals {
    pub(crate) fn of(cases: &[CaseReport]) -> Self {
        let count = |status| cases.iter().filter(|case| case.status == status).count();
        Self {
            passed: count(Status::Passed),
            failed: count(Status::Failed),
            unsupported: count(Status::Unsupported),
            skipped: count(Status::Skipped),
        }
    }
}

impl ContractReport {
    fn measure() -> Self {
        let cases = registry();
        let uncovered = contract::clauses()
            .filter(|clause| !cases.iter().any(|case| case.clauses.contains(&clause.id.as_str())));
        Self {
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
