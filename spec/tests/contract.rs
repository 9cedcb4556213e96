//! The contract parses, and its clauses and the methods bind each other.

use ff_core::call::Method;
use ff_core::contract::{Binds, Level, chapters, clause, clauses};

#[test]
fn chapters_are_read_in_order() {
    let names: Vec<_> = chapters().iter().map(|chapter| chapter.name).collect();
    assert_eq!(names, ["system", "executions", "flows"]);
    assert!(chapters().iter().all(|chapter| !chapter.title.is_empty()));
}

#[test]
fn a_clause_has_everything() {
    let found = clause("EXE-007").expect("the clause is there");
    assert_eq!(found.level, Level::Must);
    assert_eq!(found.binds, Binds::These(vec![Method::CreateExecution]));
    assert!(
        found
            .text
            .starts_with("A creation whose execution id is known returns `Duplicate`")
    );
    assert!(clause("EXE-000").is_none());
}

#[test]
fn every_method_is_bound() {
    for method in Method::ALL {
        let bound = clauses().any(|clause| clause.binds.includes(*method));
        assert!(bound, "no clause binds {method}");
    }
}

/// Clauses are plain: one to four sentences.
#[test]
fn clauses_are_short() {
    for clause in clauses() {
        let sentences = clause.text.matches(". ").count() + 1;
        assert!(sentences <= 5, "{} has {sentences} sentences", clause.id);
        assert!(clause.text.len() <= 700, "{} is long", clause.id);
    }
}
