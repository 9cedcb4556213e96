//! That a transaction happens as a whole or not at all, and for good.

use std::collections::BTreeMap;

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use ff_core::state::TerminalOutcome;
use ff_core::types::TimestampMs;

use super::samples::{edge, flow, id, tags};
use super::{Bench, Finding, Storage, changes, expect, told, with_event};
use crate::records::{CompletionRecord, Edge, Record, Stored};
use crate::store::{Access, Before, Changes, Query, Store, Tx};

/// Records of several kinds, as of version `version`, and an event.
fn several(version: u32) -> Changes {
    let (up, down) = (id(3, version), id(3, 9_999));
    let records: [Record; 4] = [
        flow(1, version.into()).into_record(),
        tags(1, &version.to_string()).into_record(),
        edge(1, version, &up, &down).into_record(),
        flow(2, version.into()).into_record(),
    ];
    let changes = changes(records.map(|record| (Before::Unknown, Some(record))));
    with_event(
        changes,
        CompletionRecord {
            execution: up,
            flow: None,
            namespace: "tenant".into(),
            outcome: TerminalOutcome::Success,
            at: TimestampMs(version.into()),
            tags: BTreeMap::new(),
        },
    )
}

/// Fails unless the records are as of this version, all of them.
async fn expect_version<S: Storage>(bench: &Bench<S>, version: u32) -> Finding {
    for (key, write) in several(version).records {
        expect(&bench.record(&key).await?, &write.after, "all of one version")?;
    }
    let edges = Query::Range(Edge::IN.of(&flow(1, 0).id).range().clone());
    let versions = bench.find(edges).await?.len();
    expect(&versions, &(version as usize), "one edge for each version, in the index")
}

/// What is committed is there, what is dropped is not.
pub(super) async fn all_or_nothing<S: Storage>(bench: Bench<S>) -> Finding {
    bench.commit(several(1)).await?;
    expect_version(&bench, 1).await?;
    let mut dropped = bench.begin(Access::Write).await?;
    let key = flow(1, 0).key();
    dropped.lock(&[Query::Key(key)]).await.map_err(told)?;
    drop(dropped);
    expect_version(&bench, 1).await?;
    bench.commit(several(2)).await?;
    expect_version(&bench, 2).await
}

/// Wherever a commit is given up, it has happened or not, and the next one works.
pub(super) async fn given_up<S: Storage>(bench: Bench<S>) -> Finding {
    let mut version = 1;
    bench.commit(several(version)).await?;
    for polls in 0..40 {
        let next = several(version + 1);
        let committing = async {
            let mut tx = bench.store.begin(Access::Write).await?;
            tx.lock(&[Query::Key(flow(1, 0).key())]).await?;
            tx.commit(next).await
        };
        polled(committing, polls).await;
        let found = bench.record(&flow(1, 0).key()).await?;
        if found == Some(flow(1, u64::from(version) + 1).into_record()) {
            version += 1;
        }
        expect_version(&bench, version).await?;
    }
    bench.commit(several(version + 1)).await?;
    expect_version(&bench, version + 1).await
}

/// Polls a future so often at most, then drops it.
async fn polled<F: Future>(future: F, polls: usize) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let ready =
            std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready()));
        if ready.await {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Records outlive the store.
pub(super) async fn reopened<S: Storage>(bench: Bench<S>) -> Finding {
    bench.commit(several(1)).await?;
    if !bench.storage.is_durable() {
        return Ok(());
    }
    let bench = bench.reopened().await?;
    expect_version(&bench, 1).await?;
    bench.commit(several(2)).await?;
    expect_version(&bench.reopened().await?, 2).await
}
