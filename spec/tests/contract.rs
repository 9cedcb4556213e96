//! The contract parses, and its clauses and the methods bind each other.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ff_core::call::Method;
use ff_core::contract::{Binds, Level, chapters, clause, clauses};

#[test]
fn chapters_are_read_in_order() {
    let names: Vec<_> = chapters().iter().map(|chapter| chapter.name).collect();
    assert_eq!(names, ["system", "executions", "flows", "housekeeping"]);
    assert!(chapters().iter().all(|chapter| !chapter.title.is_empty()));
}

#[test]
fn a_clause_has_everything() {
    let found = clause("EXE-007").expect("the clause is there");
    assert_eq!(found.level, Level::Must);
    assert_eq!(found.binds, Binds::These(vec![Method::CreateExecution]));
    assert!(found.text.starts_with("A creation whose execution id is known returns `Duplicate`"));
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

/// A clause id that is written anywhere in the sources is a clause.
#[test]
fn ids_in_sources_are_clauses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = Vec::new();
    for directory in ["spec/src", "conformance", "mock", "backends", "lua", "xtask"] {
        collect(&root.join(directory), &mut sources);
    }
    assert!(sources.len() > 100, "{} sources", sources.len());
    let chapters: BTreeSet<&str> = clauses().filter_map(|clause| clause.id.get(..4)).collect();
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        for (dash, _) in text.match_indices('-') {
            let word = dash.checked_sub(3).and_then(|start| text.get(start..dash + 4));
            let Some((chapter, number)) = word.map(|word| word.split_at(4)) else {
                continue;
            };
            let is_number = number.chars().all(|digit| digit.is_ascii_digit());
            // What tests name on purpose is none.
            if chapters.contains(chapter) && is_number && !["000", "999"].contains(&number) {
                let id = format!("{chapter}{number}");
                assert!(clause(&id).is_some(), "{id} in {}", path.display());
            }
        }
    }
}

fn collect(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "lua") {
            into.push(path);
        }
    }
}
