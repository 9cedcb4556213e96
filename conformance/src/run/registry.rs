//! All cases, and choosing among them.

use std::sync::LazyLock;

use ff_core::contract;

use crate::stage::{Case, Declaration};

/// Every case, in the order of the chapters; within a chapter topic by topic, as they are written.
pub fn registry() -> Vec<Case> {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let mut all: Vec<_> = inventory::iter::<Declaration>().collect();
        all.sort_by_key(|declared| (declared.module, declared.line));
        let mut cases: Vec<_> =
            all.into_iter().flat_map(|declared| (declared.cases)(&declared.topic())).collect();
        let place =
            |case: &Case| contract::chapters().iter().position(|c| c.name == case.chapter());
        cases.sort_by_key(place);
        cases
    });
    CASES.clone()
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
