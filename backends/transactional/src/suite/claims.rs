//! The claim queue.

use std::sync::{Arc, Mutex, PoisonError};

use ff_core::state::OwnershipState;
use ff_core::types::LaneId;

use super::samples::{execution, id};
use super::{Bench, Finding, Storage, changes, expect, told};
use crate::records::{Execution, Key, Record, Stored};
use crate::store::{Access, Before, Queues, Store, StoreError, Tx};

/// Executions of one partition: priorities, ages and requirements in no order.
fn waiting() -> Vec<Record> {
    let one = |number: u32| {
        let priority = i32::try_from((number * 7) % 5).unwrap_or(0);
        let mut one = execution(&id(3, number), "lane", priority, i64::from((number * 11) % 4));
        if number.is_multiple_of(3) {
            one.requirements.insert("gpu".to_owned());
        }
        one.into_record()
    };
    let other_lane = execution(&id(3, 99), "other", 9_000, 0).into_record();
    (0..30).map(one).chain([other_lane]).collect()
}

/// Takes the first, as a claim does. `None` if there is none or somebody was faster.
async fn take<S: Storage>(bench: &Bench<S>, offered: &[&str]) -> Result<Option<Key>, StoreError> {
    let lane = LaneId::new("lane");
    let offered = offered.iter().map(|token| (*token).to_owned()).collect();
    let mut tx = bench.store.begin(Access::Write).await?;
    let Some(first) = tx.first_in(Queues::Fresh, &lane, &offered).await? else {
        return Ok(None);
    };
    let mut after = first.clone();
    if let Some(taken) = Execution::of_mut(&mut after) {
        taken.ownership = OwnershipState::Leased;
    }
    let key = first.key();
    tokio::task::yield_now().await;
    tx.commit(changes([(Before::Present(first), Some(after))])).await?;
    Ok(Some(key))
}

/// One after the other, by priority, age and id; only what the worker qualifies for.
pub(super) async fn in_order<S: Storage>(bench: Bench<S>) -> Finding {
    bench.put(waiting()).await?;
    let mut expected: Vec<Record> = waiting();
    expected.pop();
    expected.sort_by_key(|record| Execution::of(record).map(|execution| execution.place()));
    let (mut plain, mut rest) = (Vec::new(), Vec::new());
    for record in expected {
        let needs = Execution::of(&record).is_some_and(|it| !it.requirements.is_empty());
        if plain.len() < 5 && !needs {
            plain.push(record.key());
        } else {
            rest.push(record.key());
        }
    }
    let mut taken = Vec::new();
    for _ in 0..plain.len() {
        taken.extend(take(&bench, &["tpu"]).await.map_err(told)?);
    }
    expect(&taken, &plain, "without requirements, in order")?;
    let mut taken = Vec::new();
    // One more than there are shows that there are no more.
    for _ in 0..=rest.len() {
        taken.extend(take(&bench, &["gpu", "tpu"]).await.map_err(told)?);
    }
    expect(&taken, &rest, "the rest, in order")
}

/// Several at once take each execution once.
pub(super) async fn taken_once<S: Storage>(bench: Bench<S>) -> Finding {
    bench.put(waiting()).await?;
    let taken: Arc<Mutex<Vec<Key>>> = Arc::default();
    let tasks = (0..6).map(|_| {
        let (bench, taken) = (bench.clone(), Arc::clone(&taken));
        tokio::spawn(async move {
            loop {
                match take(&bench, &["gpu", "tpu"]).await {
                    Ok(Some(key)) => {
                        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                        taken.push(key);
                        if taken.len() > waiting().len() {
                            return Ok(());
                        }
                    }
                    Ok(None) => return Ok(()),
                    Err(StoreError::Conflict) => tokio::task::yield_now().await,
                    Err(error) => return Err(told(error)),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.map_err(|error| error.to_string())??;
    }
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
    taken.sort();
    let mut expected: Vec<Key> = waiting().iter().map(Record::key).collect();
    expected.pop();
    expected.sort();
    expect(&taken, &expected, "each is taken once")
}
