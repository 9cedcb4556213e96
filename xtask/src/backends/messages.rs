//! How often each method asks its server: a change of these numbers is meant, or a mistake.

use std::collections::BTreeMap;
use std::fmt::Write;

use ff_conformance::Deployment;
use ff_core::call::{Call, Method, Reply};
use ff_provision::{Kind, Servers};
use ff_transactional::IMPLEMENTED;

use super::round::{Each, Round, made};
use super::{Backend, Time};
use crate::bench::counted;

/// The messages of the last call of each method.
#[derive(Default)]
struct Counting(BTreeMap<&'static str, usize>);

impl Each for Counting {
    async fn make(&mut self, deployment: &Deployment, call: &Call) -> Reply {
        let nemesis = deployment.nemesis().unwrap();
        let before = nemesis.requests();
        let reply = made(deployment, call).await;
        self.0.insert(call.method().as_str(), nemesis.requests() - before);
        reply
    }
}

/// The messages of each method, once a first round has warmed everything.
async fn messages(kind: Kind) -> String {
    let servers = Servers::default();
    let harness = Backend::on(kind).harness(&servers, Time::Turned).await.unwrap();
    let deployment = counted(&*harness).await.unwrap();
    let mut round = Round::of(deployment, Counting::default());
    round.play().await;
    round.play().await;
    let Round { each: Counting(messages), deployment, .. } = round;
    drop(deployment);
    harness.finish().await.unwrap();
    servers.down().await;
    let without = [Method::Prepare, Method::ShutdownPrepare];
    let called = IMPLEMENTED.iter().filter(|method| !without.contains(method));
    let mut table = String::new();
    for method in called {
        let number = messages.get(method.as_str());
        let number = number.unwrap_or_else(|| panic!("{method} is not counted"));
        writeln!(table, "{number} {method}").unwrap();
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_postgres() {
    insta::assert_snapshot!("postgres", messages(Kind::Postgres).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn needs_valkey() {
    insta::assert_snapshot!("valkey", messages(Kind::Valkey).await);
}
