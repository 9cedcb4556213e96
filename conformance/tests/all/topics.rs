//! A topic has one name in the contract, the cases, the deviants and the rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ff_core::contract::{chapters, clause};

/// Cases that are made of calls, whatever their topic.
const OF_CALLS: [&str; 4] = ["repeated", "scripts", "graphs", "oracle"];

/// The names of the files and directories in a chapter of the sources.
fn files(directory: &str, chapter: &str) -> BTreeSet<String> {
    names_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(directory).join(chapter))
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| {
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

/// What rules share: the states of a record, how a lease ends from outside, and whom a filter lets through.
const SHARED: [&str; 4] = ["filter", "flow", "interrupt", "state"];

#[test]
fn rules_in_rust_and_lua_have_the_topics_of_the_contract() {
    for chapter in chapters() {
        let sections: BTreeSet<_> =
            chapter.clauses.iter().map(|clause| clause.topic.to_lowercase()).collect();
        for rules in ["../backends/transactional/src", "../lua"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(rules).join(chapter.name);
            if !path.exists() {
                continue;
            }
            for file in names_in(&path) {
                let known = sections.contains(&file) || SHARED.contains(&file.as_str());
                assert!(known, "{rules}/{}/{file} has no section", chapter.name);
            }
        }
    }
}
