//! The contract parses, and its clauses and the methods bind each other.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ff_core::call::Method;
use ff_core::contract::{Binds, Level, Origin, Version, chapters, clause, clauses, versions};

#[test]
fn chapters_are_read_in_order() {
    let names: Vec<_> = chapters().iter().map(|chapter| chapter.name).collect();
    assert_eq!(
        names,
        ["system", "executions", "flows", "housekeeping", "suspension", "metering", "events"]
    );
    assert!(chapters().iter().all(|chapter| !chapter.title.is_empty()));
}

#[test]
fn a_clause_has_everything() {
    let found = clause("EXE-007").expect("the clause is there");
    assert_eq!(found.level, Level::Must);
    assert_eq!(found.binds, Binds::These(vec![Method::CreateExecution]));
    assert_eq!(found.origin, Origin::Seed { document: 3, line: 1414 });
    assert_eq!(found.since, Version { major: 0, minor: 1 });
    assert!(found.text.starts_with("A creation whose execution id is known returns `Duplicate`"));
    assert!(clause("EXE-000").is_none());
}

/// What we decided is no demand on others.
#[test]
fn only_what_is_demanded_is_a_must() {
    for clause in clauses() {
        let decided = clause.origin == Origin::Decided;
        assert!(clause.level != Level::Must || !decided, "{} is decided", clause.id);
        assert!(clause.origin != Origin::Sense || clause.level == Level::Must, "{}", clause.id);
    }
}

#[test]
fn origins_and_versions_read_as_they_are_written() {
    for text in ["seed 003:1414", "sense", "decided"] {
        assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
    }
    for text in ["", "seed", "seed 3", "seed 003:", "Sense"] {
        assert!(text.parse::<Origin>().is_err(), "{text:?}");
    }
    assert_eq!("0.10".parse::<Version>().unwrap().to_string(), "0.10");
    assert!("0.10".parse::<Version>().unwrap() > "0.9".parse().unwrap());
    for text in ["", "1", "0.", "0.1.2", "v0.1"] {
        assert!(text.parse::<Version>().is_err(), "{text:?}");
    }
}

/// A version keeps the clauses that it brought, retired ones too: all but the last line of the list stay.
#[test]
fn published_versions_stay_as_they_are() {
    let mut seen = String::new();
    for version in versions() {
        let all = chapters().iter().flat_map(|chapter| &chapter.clauses);
        let brought = all.filter(|clause| clause.since == version);
        let mut ids: Vec<_> = brought.map(|clause| clause.id.as_str()).collect();
        ids.sort_unstable();
        seen.extend([&version.to_string(), "  ", &ids.join(" "), "\n"]);
    }
    let published = include_str!("../contract/versions.txt");
    assert_eq!(published, seen, "a clause was taken from a version, or added to one");
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
