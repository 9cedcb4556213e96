//! All cases, and choosing among them.

use ff_core::call::Method;
use ff_core::contract;

use crate::case::{Body, Case, Need};
use crate::cases;
use crate::written::Repetition;

/// Every case, in the order of the chapters.
pub fn registry() -> Vec<Case> {
    let gates = Method::ALL.iter().filter(|method| method.is_call()).map(|method| gate(*method));
    let repeated = cases::repetitions().map(|(chapter, repetition)| repeated(chapter, repetition));
    let interrupted =
        cases::repetitions().map(|(chapter, repetition)| interrupted(chapter, repetition));
    cases::written().into_iter().chain(repeated).chain(interrupted).chain(gates).collect()
}

/// The case that a method is claimed and there, or neither.
fn gate(method: Method) -> Case {
    // One slug a method, made once for the life of the process.
    Case {
        slug: ff_core::intern(&format!("system.gate.{method}")),
        title: "A claimed method is there; one that is not claimed is unavailable.",
        clauses: &["SYS-001", "SYS-002"],
        needs: &[],
        body: Body::Gate(method),
    }
}

/// The case that a call repeated is answered as its clauses say.
fn repeated(chapter: &str, repetition: &'static Repetition) -> Case {
    Case {
        slug: ff_core::intern(&format!("{chapter}.repeated.{}", repetition.method)),
        title: "The same call ten times, in turn and at once.",
        clauses: repetition.clauses,
        needs: &[Need::Clock, Need::Concurrency, Need::Elsewhere],
        body: Body::Repeated(repetition),
    }
}

/// The case that a call can be interrupted wherever it waits.
fn interrupted(chapter: &str, repetition: &'static Repetition) -> Case {
    Case {
        slug: ff_core::intern(&format!("{chapter}.interrupted.{}", repetition.method)),
        title: "A call that is given up, or whose connection is lost, at each of its steps.",
        clauses: &["SYS-039"],
        needs: &[Need::Clock, Need::Nemesis],
        body: Body::Interrupted(repetition),
    }
}

/// Which cases to run; each field that is set narrows the choice.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Chapters by name.
    pub chapters: Vec<String>,
    /// Slugs, or the beginning of slugs up to a dot.
    pub cases: Vec<String>,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// A name that chooses nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    #[error("there is no chapter {0:?}; the chapters are {1}")]
    Chapter(String, String),
    #[error("no case is called {0:?} or begins with it; `--list` shows them all")]
    Case(String),
    #[error("no clause has the id {0:?}")]
    Clause(String),
    #[error("no case is all of what was asked for")]
    Nothing,
}

impl Selection {
    /// The chosen cases. A choice of nothing is an error, so that a misspelt name is noticed.
    pub fn choose(&self) -> Result<Vec<Case>, SelectionError> {
        let all = registry();
        for chapter in &self.chapters {
            if !all.iter().any(|case| case.chapter() == chapter) {
                let known: Vec<_> = contract::chapters().iter().map(|c| c.name).collect();
                return Err(SelectionError::Chapter(chapter.clone(), known.join(", ")));
            }
        }
        for slug in &self.cases {
            if !all.iter().any(|case| is_named(case, slug)) {
                return Err(SelectionError::Case(slug.clone()));
            }
        }
        for id in &self.clauses {
            if contract::clause(id).is_none() {
                return Err(SelectionError::Clause(id.clone()));
            }
        }
        let chosen: Vec<_> = all.into_iter().filter(|case| self.includes(case)).collect();
        if chosen.is_empty() {
            return Err(SelectionError::Nothing);
        }
        Ok(chosen)
    }

    fn includes(&self, case: &Case) -> bool {
        let any = |names: &[String], holds: &dyn Fn(&str) -> bool| {
            names.is_empty() || names.iter().any(|name| holds(name))
        };
        any(&self.chapters, &|chapter| case.chapter() == chapter)
            && any(&self.cases, &|slug| is_named(case, slug))
            && any(&self.clauses, &|id| case.clauses.contains(&id))
    }
}

fn is_named(case: &Case, name: &str) -> bool {
    case.slug.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
