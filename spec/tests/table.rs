//! The table of methods and the trait say the same, in both directions.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::BTreeMap;
use std::sync::Mutex;

use arbitrary::Unstructured;
use async_trait::async_trait;
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::{BackendIdentity, Capabilities, Supports, Version};
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// The trait's methods as its source has them: name, and whether each is a call.
fn trait_methods() -> BTreeMap<String, bool> {
    let source = include_str!("../src/engine_backend/mod.rs");
    let file = syn::parse_file(source).expect("the trait's file parses");
    let items = file.items.into_iter().find_map(|item| match item {
        syn::Item::Trait(found) if found.ident == "EngineBackend" => Some(found.items),
        _ => None,
    });
    let methods = items.expect("the trait is there").into_iter();
    methods
        .filter_map(|item| match item {
            syn::TraitItem::Fn(method) => {
                let name = method.sig.ident.to_string();
                Some((name, method.sig.asyncness.is_some()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn table_and_trait_have_the_same_methods() {
    let table: BTreeMap<_, _> =
        Method::ALL.iter().map(|method| (method.to_string(), method.is_call())).collect();
    assert_eq!(table, trait_methods());
    assert_eq!(table.len(), 115);
}

/// Answers each call with the reply prepared for it, and remembers the call.
struct Echo {
    replies: BTreeMap<Method, Reply>,
    heard: Mutex<Option<Call>>,
}

#[async_trait]
impl Dispatch for Echo {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        let method = call.method();
        *self.heard.lock().unwrap() = Some(call);
        let reply = self.replies.get(&method).cloned();
        reply.ok_or(EngineError::StreamBackpressure)
    }

    fn backend_label(&self) -> &'static str {
        "echo"
    }

    fn capabilities(&self) -> Capabilities {
        let identity = BackendIdentity::new("echo", Version::new(1, 2, 3), "test");
        Capabilities::new(identity, Supports::all())
    }
}

fn random_bytes(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; 16 * 1024];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// A call sent through the trait arrives as it was, argument by argument, and the reply comes back.
#[tokio::test]
async fn calls_and_replies_survive_the_trait() {
    for seed in 0..20 {
        let bytes = random_bytes(seed);
        let mut u = Unstructured::new(&bytes);
        for method in Method::ALL {
            let Some(call) = Call::arbitrary_of(*method, &mut u).unwrap() else {
                assert!(!method.is_call());
                continue;
            };
            let reply = Reply::arbitrary_of(*method, &mut u).unwrap();
            let echo = Echo {
                replies: reply.clone().map(|reply| (*method, reply)).into_iter().collect(),
                heard: Mutex::default(),
            };
            let answer = call.send(&echo).await;
            assert_eq!(echo.heard.into_inner().unwrap().as_ref(), Some(&call));
            assert_eq!(answer, reply.ok_or(EngineError::StreamBackpressure), "{method}");
        }
    }
}

#[test]
fn calls_and_replies_survive_json() {
    for seed in 0..20 {
        let bytes = random_bytes(seed);
        let mut u = Unstructured::new(&bytes);
        for method in Method::ALL {
            if let Some(call) = Call::arbitrary_of(*method, &mut u).unwrap() {
                let text = serde_json::to_string(&call).unwrap();
                assert_eq!(serde_json::from_str::<Call>(&text).unwrap(), call, "{text}");
                assert_eq!(call.method(), *method);
            }
            if let Some(reply) = Reply::arbitrary_of(*method, &mut u).unwrap() {
                let text = serde_json::to_string(&reply).unwrap();
                assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply, "{text}");
                assert_eq!(reply.method(), *method);
            }
        }
    }
}

/// A backend that overrides nothing.
struct Bare;

#[async_trait]
impl Dispatch for Bare {
    async fn dispatch(&self, _: Call) -> Result<Reply, EngineError> {
        Ok(Reply::Ping(()))
    }

    fn backend_label(&self) -> &'static str {
        "bare"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(BackendIdentity::new("bare", Version::new(0, 0, 0), ""), Supports::none())
    }
}

#[tokio::test]
async fn a_reply_of_another_method_is_a_fault() {
    assert_eq!(Bare.ping().await, Ok(()));
    let error = Bare.server_time_ms().await.unwrap_err();
    assert_eq!(error.code(), "transport");
    assert!(error.to_string().contains("server_time_ms was answered by ping"), "{error}");
}

#[test]
fn supports_answers_for_every_method() {
    for method in Method::ALL {
        let claimed = Supports::of([*method]);
        assert!(claimed.claims(*method), "{method}");
        let none = Supports::none();
        assert_eq!(none.claims(*method), method.has_working_default(), "{method}");
    }
    assert!(Supports::all().is_consistent() && Supports::none().is_consistent());
    let mut half = Supports::none();
    half.budget_admin = true;
    assert!(!half.is_consistent());
}
