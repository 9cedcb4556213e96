//! Transactions that overlap.

use super::samples::{flow, tags};
use super::{Bench, Finding, Storage, changes, expect, told};
use crate::records::{Flow, FlowTags, Record, Stored};
use crate::store::{Access, Before, Query, Store, StoreError, Tx};

const TASKS: u32 = 8;
const TURNS: u32 = 12;

/// Runs this in several tasks at once.
async fn at_once<F>(task: impl Fn(u32) -> F) -> Finding
where
    F: Future<Output = Finding> + Send + 'static,
{
    let tasks: Vec<_> = (0..TASKS).map(|number| tokio::spawn(task(number))).collect();
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    Ok(())
}

/// No change under a lock is lost.
pub(super) async fn counted<S: Storage>(bench: Bench<S>) -> Finding {
    bench.put([flow(1, 0).into_record()]).await?;
    let key = flow(1, 0).key();
    at_once(|_| {
        let (bench, key) = (bench.clone(), key.clone());
        async move {
            for _ in 0..TURNS {
                bench.change(&key, |flow: &mut Flow| flow.graph_revision += 1).await?;
            }
            Ok(())
        }
    })
    .await?;
    let counted = bench.record(&key).await?;
    let expected = flow(1, u64::from(TASKS * TURNS)).into_record();
    expect(&counted, &Some(expected), "every change counts")
}

/// Of several that found no record and store one, one succeeds; the others meet it or find it.
pub(super) async fn created_once<S: Storage>(bench: Bench<S>) -> Finding {
    for round in 0..TURNS {
        let (sent, created) = std::sync::mpsc::channel();
        at_once(|number| {
            let (bench, sent) = (bench.clone(), sent.clone());
            async move {
                match create(&bench, round, number).await {
                    Ok(true) => sent.send(number).map_err(|error| error.to_string()),
                    Ok(false) | Err(StoreError::Conflict) => Ok(()),
                    Err(error) => Err(told(error)),
                }
            }
        })
        .await?;
        let created: Vec<u32> = created.try_iter().collect();
        expect(&created.len(), &1, "creations that succeeded")?;
        let kept = tags(round, &created[0].to_string()).into_record();
        expect(&bench.record(&kept.key()).await?, &Some(kept), "what the one has stored")?;
    }
    Ok(())
}

/// Whether it was this one.
async fn create<S: Storage>(bench: &Bench<S>, round: u32, number: u32) -> Result<bool, StoreError> {
    let record = tags(round, &number.to_string()).into_record();
    let mut tx = bench.store.begin(Access::Write).await?;
    let found = tx.get(&[Query::Key(record.key())]).await?;
    if found.iter().any(|found| !found.is_empty()) {
        return Ok(false);
    }
    tokio::task::yield_now().await;
    tx.commit(changes([(Before::Absent, Some(record))])).await?;
    Ok(true)
}

/// Two records that only ever change together.
fn pair(version: u64) -> [Record; 2] {
    let tags = FlowTags {
        flow: flow(2, 0).id,
        tags: [("version".to_owned(), version.to_string())].into(),
    };
    [flow(1, version).into_record(), tags.into_record()]
}

async fn write_pairs<S: Storage>(bench: Bench<S>) -> Finding {
    for version in 1..=u64::from(TASKS * TURNS) {
        bench.put(pair(version)).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn expect_pair(found: &[Vec<Record>]) -> Finding {
    let found: Vec<Record> = found.iter().flatten().cloned().collect();
    let version = found.first().and_then(Flow::of).map_or(0, |flow| flow.graph_revision);
    expect(&found, &pair(version).to_vec(), "both of one version")
}

/// What is asked for at once is read as of one instant.
pub(super) async fn one_instant<S: Storage>(bench: Bench<S>) -> Finding {
    bench.put(pair(0)).await?;
    let writer = tokio::spawn(write_pairs(bench.clone()));
    let listed = Query::Range(Flow::LISTED.of(&3_u16).range().clone());
    let [_, tags] = pair(0).map(|record| Query::Key(record.key()));
    while !writer.is_finished() {
        let mut tx = bench.begin(Access::Look).await?;
        let found = tx.get(&[listed.clone(), tags.clone()]).await.map_err(told)?;
        drop(tx);
        expect_pair(&found)?;
        tokio::task::yield_now().await;
    }
    writer.await.map_err(|error| error.to_string())?
}

/// A transaction that only reads sees one instant, however often it looks.
pub(super) async fn snapshot<S: Storage>(bench: Bench<S>) -> Finding {
    bench.put(pair(0)).await?;
    let writer = tokio::spawn(write_pairs(bench.clone()));
    let queries = pair(0).map(|record| [Query::Key(record.key())]);
    while !writer.is_finished() {
        let mut tx = bench.begin(Access::Read).await?;
        let mut found = Vec::new();
        for query in &queries {
            found.extend(tx.get(query).await.map_err(told)?);
            tokio::task::yield_now().await;
        }
        drop(tx);
        expect_pair(&found)?;
        tokio::task::yield_now().await;
    }
    writer.await.map_err(|error| error.to_string())?
}

/// Who has waited for a record sees what was added beside it.
pub(super) async fn added_beside<S: Storage>(bench: Bench<S>) -> Finding {
    for round in 0..TURNS {
        bench.put([flow(round, 0).into_record()]).await?;
        at_once(|_| {
            let bench = bench.clone();
            async move {
                loop {
                    match add_beside(&bench, round).await {
                        Ok(seen) => return seen,
                        Err(StoreError::Conflict) => tokio::task::yield_now().await,
                        Err(error) => return Err(told(error)),
                    }
                }
            }
        })
        .await?;
    }
    Ok(())
}

/// Changes a record and adds another, unless somebody has; whether that was seen as a whole.
async fn add_beside<S: Storage>(bench: &Bench<S>, round: u32) -> Result<Finding, StoreError> {
    let (before, after) = (flow(round, 0), flow(round, 1));
    let beside = FlowTags { flow: before.id, tags: [("k".to_owned(), "v".to_owned())].into() };
    let (before, after, beside) = (before.into_record(), after.into_record(), beside.into_record());
    let mut tx = bench.store.begin(Access::WriteAgain).await?;
    let both = [Query::Key(before.key()), Query::Key(beside.key())];
    let found = tx.lock(&both).await?.concat();
    if found != [before.clone()] {
        return Ok(expect(&found, &vec![after, beside], "both, or neither"));
    }
    tokio::task::yield_now().await;
    let write = [(Before::Present(before), Some(after)), (Before::Absent, Some(beside))];
    tx.commit(changes(write)).await.map(Ok)
}
