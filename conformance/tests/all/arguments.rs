//! Every method has a sample and can be drawn, and rules on arguments bind the methods that have such.

use std::collections::BTreeSet;

use ff_conformance::inside::{
    Spoiling, callers_now, drawn_methods, exceptional_places, named_places, samples_of_the_model,
};
use ff_core::call::Method;
use ff_core::contract::{Binds, clause};
use ff_core::dispatch::Dispatch;
use ff_mock::MockBackend;
use serde_json::Value;

/// The methods that the model claims.
fn claimed() -> impl Iterator<Item = Method> {
    let supports = Dispatch::capabilities(&MockBackend::conforming()).supports;
    let calls = Method::ALL.iter().copied().filter(|method| method.is_call());
    calls.filter(move |method| supports.claims(*method))
}

#[test]
fn every_method_of_the_model_can_be_drawn() {
    let drawn: Vec<Method> = drawn_methods().collect();
    // Streams of events are no answers that two backends share.
    for method in claimed().filter(|method| !method.is_subscription()) {
        let count = drawn.iter().filter(|known| **known == method).count();
        // A shutdown is about one instance, not about what is stored.
        assert_eq!(count, usize::from(method != Method::ShutdownPrepare), "{method}");
    }
}

#[test]
fn every_method_has_a_sample() {
    let sampled: BTreeSet<_> =
        samples_of_the_model().iter().map(ff_core::call::Call::method).collect();
    assert_eq!(sampled, claimed().filter(|method| !method.is_subscription()).collect());
}

/// Each rule binds exactly the methods that have such an argument.
#[test]
fn rules_bind_the_methods_that_have_such_arguments() {
    let samples = samples_of_the_model();
    for (spoiling, rule) in [
        (Spoiling::Nul, "SYS-018"),
        (Spoiling::LongText, "SYS-032"),
        (Spoiling::LongBytes, "SYS-031"),
        (Spoiling::LargeInteger, "SYS-029"),
    ] {
        let Binds::These(bound) = &clause(rule).unwrap().binds else {
            panic!("{rule} names its methods");
        };
        let having = samples.iter().filter(|sample| spoiling.has_place_in(sample));
        let having: BTreeSet<_> = having.map(ff_core::call::Call::method).collect();
        assert_eq!(having, bound.iter().copied().collect(), "{rule}");
    }
}

#[test]
fn exceptions_name_clauses_that_bind_the_method() {
    for (place, id) in exceptional_places() {
        let method = place.split('/').nth(1).unwrap();
        let method = Method::parse(method).unwrap_or_else(|| panic!("{place} is in no call"));
        assert!(clause(id).unwrap().binds.includes(method), "{id} and {place}");
    }
    for (name, id) in named_places() {
        assert!(clause(id).is_some(), "{id} of {name}");
    }
}

/// What arguments for the caller's own time are called.
const TIMES: [&str; 3] = ["now", "now_ms", "produced_at_ms"];

fn is_hinted(value: &Value) -> bool {
    let fields = value.as_object().into_iter().flatten();
    fields.into_iter().any(|(name, value)| TIMES.contains(&name.as_str()) || is_hinted(value))
}

#[test]
fn the_callers_time_is_found_wherever_there_is_one() {
    for mut call in samples_of_the_model() {
        let hinted = is_hinted(&serde_json::to_value(&call).unwrap());
        assert_eq!(callers_now(&mut call).is_some(), hinted, "{}", call.method());
    }
}
