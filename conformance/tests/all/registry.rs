//! Cases, clauses, codes and deviants belong together.

use std::collections::BTreeSet;
use std::fmt::Write;

use arbitrary::Unstructured;
use ff_conformance::{Selection, SelectionError, deviants, registry};
use ff_core::call::{Call, Method};
use ff_core::contract::{Binds, Level, clause, clauses};
use ff_core::dispatch::Dispatch;
use ff_core::types::ExecutionId;
use ff_mock::MockBackend;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde_json::Value;

/// A rename is seen here: slugs are permanent.
#[test]
fn slugs_are_permanent() {
    let mut list = String::new();
    for case in registry().iter().filter(|case| !case.slug.starts_with("system.gate.")) {
        let _ = writeln!(list, "{}  {}", case.slug, case.clauses.join(" "));
    }
    insta::assert_snapshot!(list);
}

#[test]
fn slugs_are_distinct_and_titles_are_sentences() {
    let mut seen = BTreeSet::new();
    for case in registry() {
        assert!(seen.insert(case.slug), "{} twice", case.slug);
        assert!(case.title.ends_with('.'), "{}", case.slug);
    }
}

#[test]
fn cases_name_clauses_and_clauses_have_cases() {
    let cases = registry();
    for case in &cases {
        assert!(!case.clauses.is_empty(), "{} checks nothing", case.slug);
        for id in case.clauses {
            let named = clause(id);
            let named =
                named.unwrap_or_else(|| panic!("{} names {id}, which is no clause", case.slug));
            assert_eq!(
                named.level,
                case.level(),
                "{} names clauses of two levels: {id}",
                case.slug
            );
        }
    }
    for clause in clauses() {
        let covered = cases.iter().any(|case| case.clauses.contains(&clause.id.as_str()));
        assert!(covered, "{} has no case", clause.id);
    }
}

/// What the model claims is bound by name, not only by the clauses for every method.
#[test]
fn claimed_methods_have_clauses_of_their_own() {
    let claimed = Dispatch::capabilities(&MockBackend::conforming()).supports;
    let exempt = [Method::AsAny];
    for method in Method::ALL.iter().filter(|method| !exempt.contains(method)) {
        let bound = clauses().any(|clause| match &clause.binds {
            Binds::All => false,
            Binds::These(methods) => methods.contains(method),
        });
        assert_eq!(bound, claimed.claims(*method), "{method}");
    }
}

/// A cursor is not a name: it need not exist, and EXE-034 says in which partition it is.
#[test]
fn calls_that_name_an_execution_are_bound_by_the_clause_on_ids() {
    fn names_one(name: &str, value: &Value) -> bool {
        match value {
            Value::String(text) => name != "cursor" && ExecutionId::parse(text).is_ok(),
            Value::Array(items) => items.iter().any(|item| names_one(name, item)),
            Value::Object(fields) => fields.iter().any(|(name, value)| names_one(name, value)),
            _ => false,
        }
    }
    let ids = clause("SYS-037").unwrap();
    let Binds::These(bound) = &ids.binds else {
        panic!("{} names its methods", ids.id);
    };
    let mut bytes = vec![0; 4096];
    StdRng::seed_from_u64(1).fill_bytes(&mut bytes);
    let claimed = Dispatch::capabilities(&MockBackend::conforming()).supports;
    for method in Method::ALL.iter().filter(|method| claimed.claims(**method)) {
        let call = Call::arbitrary_of(*method, &mut Unstructured::new(&bytes)).unwrap();
        let names = call.is_some_and(|call| names_one("", &serde_json::to_value(&call).unwrap()));
        assert_eq!(names, bound.contains(method), "{method}");
    }
}

#[test]
fn every_method_that_changes_something_is_repeated() {
    let claimed = Dispatch::capabilities(&MockBackend::conforming()).supports;
    // What preparing answers is open; `system.availability.repeated-preparation` repeats it.
    let changes =
        |method: &&Method| method.is_call() && !method.is_read() && **method != Method::Prepare;
    for method in Method::ALL.iter().filter(changes) {
        let slug = format!(".repeated.{method}");
        let cases = registry();
        let repeated = cases.iter().filter(|case| case.slug.ends_with(&slug));
        assert_eq!(repeated.count() == 1, claimed.claims(*method), "{method}");
    }
}

#[test]
fn every_must_clause_has_a_deviant() {
    assert_eq!(ff_conformance::unbroken(), Vec::<&str>::new());
    let mut names = BTreeSet::new();
    for deviant in deviants::all() {
        assert!(names.insert(deviant.name), "{} twice", deviant.name);
        let broken = clause(deviant.breaks);
        let broken = broken.unwrap_or_else(|| panic!("{} breaks no clause", deviant.name));
        let binds = matches!(broken.level, Level::Must | Level::Should);
        assert!(binds, "{}", deviant.name);
    }
}

#[test]
fn selections_narrow_and_refuse_what_is_not_there() {
    let choose = |chapters: &[&str], cases: &[&str], clauses: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Selection { chapters: owned(chapters), cases: owned(cases), clauses: owned(clauses) }
            .choose()
    };
    let slugs = |cases: Vec<ff_conformance::Case>| cases.iter().map(|c| c.slug).collect::<Vec<_>>();
    assert_eq!(choose(&[], &[], &[]).unwrap().len(), registry().len());
    let by_clause = slugs(choose(&[], &[], &["SYS-010"]).unwrap());
    assert_eq!(by_clause, ["system.availability.shutdown", "system.repeated.shutdown_prepare"]);
    let by_slug = slugs(choose(&[], &["executions.create.duplicate"], &[]).unwrap());
    assert_eq!(by_slug, ["executions.create.duplicate"]);
    let by_prefix = choose(&["executions"], &["executions.create"], &[]).unwrap();
    assert!(by_prefix.len() > 15 && by_prefix.iter().all(|c| c.slug.contains(".create.")));
    let refused = |outcome: Result<Vec<ff_conformance::Case>, _>| outcome.unwrap_err();
    assert!(matches!(refused(choose(&["x"], &[], &[])), SelectionError::Chapter(..)));
    assert!(matches!(refused(choose(&[], &["executions.cre"], &[])), SelectionError::Case(_)));
    assert!(matches!(refused(choose(&[], &[], &["EXE-999"])), SelectionError::Clause(_)));
    let none = choose(&["flows"], &["executions"], &[]);
    assert_eq!(refused(none), SelectionError::Nothing);
}
