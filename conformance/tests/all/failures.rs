//! How failures are told, and what never happened.

use std::collections::BTreeMap;
use std::fmt::Debug;

use ff_conformance::inside::{named_codes, redacted};
use ff_conformance::{Coverage, Failure};
use ff_core::call::{Method, Reply};
use ff_core::contract::clause;

fn lines(expected: &dyn Debug, seen: &dyn Debug) -> Vec<(String, String, String)> {
    let failure = Failure::differing("why", expected, seen);
    let differences = failure.differences.into_iter();
    differences.map(|line| (line.what, line.expected, line.seen)).collect()
}

#[derive(Debug)]
#[allow(dead_code)] // Read by its debug output.
struct Pair {
    left: u32,
    right: &'static str,
}

#[test]
fn structs_tell_the_fields_that_differ() {
    let pair = |right| Pair { left: 1, right };
    let line = ("right".to_owned(), "\"a\"".to_owned(), "\"b\"".to_owned());
    assert_eq!(lines(&pair("a"), &pair("b")), [line]);
}

#[test]
fn maps_tell_what_is_missing() {
    let (full, empty) = (BTreeMap::from([("a", 1), ("b", 2)]), BTreeMap::from([("a", 1)]));
    let line = ("b".to_owned(), "2".to_owned(), "nothing".to_owned());
    assert_eq!(lines(&full, &empty), [line]);
}

#[test]
fn anything_else_is_told_as_a_whole_and_not_at_length() {
    let line = (String::new(), "Some(1,)".to_owned(), "None".to_owned());
    assert_eq!(lines(&Some(1), &None::<u32>), [line]);
    let long = lines(&"x".repeat(1_000), &"y");
    assert!(long[0].1.ends_with("… (1002 characters)"), "{}", long[0].1);
}

#[test]
fn long_values_are_told_where_they_differ() {
    let same = "x".repeat(5_000);
    let line = &lines(&format!("{same}one{same}"), &format!("{same}two{same}"))[0];
    assert!(line.1.starts_with('…') && line.1.contains("xone") && line.2.contains("xtwo"));
    assert!(line.1.chars().count() < 280, "{}", line.1);
}

#[test]
fn causes_are_the_same_whatever_the_names() {
    let refused = |id: &str, number: u32| {
        let seen = format!("Ok({{fp:3}}:{id} at {number})");
        Failure::refused("why".to_owned(), "state.terminal", seen).cause_by(Method::Renew)
    };
    let first = refused("6ba7b810-9dad-41d1-80b4-00c04fd430c8", 1_000_000);
    assert_eq!(first, refused("00112233-4455-6677-8899-aabbccddeeff", 1_000_001));
    assert_eq!(first.answered, "Ok({fp:3}:id at number)");
}

#[test]
fn clauses_tell_codes() {
    let named = |id: &str| named_codes(clause(id).unwrap());
    assert_eq!(named("SYS-031"), ["validation.payload_too_large"]);
    assert_eq!(
        named("LSE-002"),
        ["not_found.execution", "state.lease_expired", "state.stale_lease"]
    );
    assert!(named("EXE-001").is_empty());
}

#[test]
fn what_never_happened_is_told() {
    let mut coverage = Coverage::default();
    coverage.count(Method::Ping, &Ok(Reply::Ping(())));
    let missed = |answer: &str| (Method::CancelFlow, answer.to_owned());
    assert_eq!(
        coverage.uncovered(&[Method::Ping, Method::CancelFlow]),
        [missed("not_found.flow"), missed("ok")]
    );
}

#[test]
fn digits_that_are_no_secret_stay() {
    let digest = "0123456789abcdef0123456789ABCDEF01234567";
    assert_eq!(redacted(&format!("kid:{digest}, ok")), "kid:<40 digits>, ok");
    assert_eq!(redacted(digest), "<40 digits>");
    for text in ["", "added", "904ce7a3-130c-4f9f-85a4-1338d3966d09", "é 1234 ü"] {
        assert_eq!(redacted(text), text);
    }
}
