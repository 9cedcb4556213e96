//! A topic has one name in the contract, the cases and the deviants.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ff_core::contract::{chapters, clause};

/// Cases that are made of calls, whatever their topic.
const OF_CALLS: [&str; 3] = ["repeated", "scripts", "graphs"];

/// The names of the files and directories in a chapter of the sources.
fn files(directory: &str, chapter: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(directory).join(chapter);
    let names = fs::read_dir(path).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    });
    names.filter(|name| name != "mod").collect()
}

#[test]
fn sections_cases_and_deviants_have_the_same_topics() {
    for chapter in chapters() {
        let sections: BTreeSet<_> =
            chapter.clauses.iter().map(|clause| clause.topic.to_lowercase()).collect();
        let mut cases = files("cases", chapter.name);
        cases.retain(|name| !OF_CALLS.contains(&name.as_str()));
        assert_eq!(cases, sections, "cases of {}", chapter.name);
        assert_eq!(files("deviants", chapter.name), sections, "deviants of {}", chapter.name);
    }
}

#[test]
fn deviants_stand_under_the_topic_of_their_clause() {
    for deviant in ff_conformance::deviants::all() {
        let topic = clause(deviant.breaks).unwrap().topic.to_lowercase();
        assert!(deviant.module.ends_with(&format!("::{topic}")), "{}", deviant.name);
    }
}
