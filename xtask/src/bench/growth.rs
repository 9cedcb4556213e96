//! Claims and pages of a list, beside ever more work that waits.

use std::time::Duration;

use ff_conformance::{HarnessError, plain_execution};
use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;

use super::measure::{Load, RUNS, Row, Run, Times, timed, times};
use super::place::Place;
use crate::backends::Backend;

/// Calls of a run.
const CALLS: usize = 101;

/// Creations at once.
const AT_ONCE: usize = 16;

/// With each number of executions that wait in one partition, in ascending order.
pub(super) async fn measure(
    backend: Backend,
    numbers: &[usize],
    rows: &mut Vec<Row>,
) -> Result<(), HarnessError> {
    let place = Place::of(backend).await?;
    let instances = place.instances(AT_ONCE).await?;
    let instance = &instances[0];
    let lane = LaneId::new("bench");
    let worker = WorkerInstanceId::new("worker");
    let policy = ClaimPolicy::new(WorkerId::new("worker"), worker, 60_000, None);
    let home = Partition { family: PartitionFamily::Flow, index: 0 };
    let home = PartitionKey::from(&home);
    let mut waiting = 0;
    for number in numbers {
        let creating = stream::iter(waiting..*number).map(|at| {
            let id = ExecutionId::from_parts(0, Uuid::new_v4());
            let args = plain_execution(id, lane.clone());
            instances[at % instances.len()].create_execution(args)
        });
        let _: Vec<_> = creating.buffer_unordered(AT_ONCE).try_collect().await?;
        waiting = *number;
        let (mut claims, mut pages) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (mut claiming, mut listing) = (times()?, times()?);
            let offers = CapabilitySet::default();
            for _ in 0..CALLS {
                let claim = instance.claim(&lane, &offers, policy.clone());
                let lease = timed(&mut claiming, claim).await?.ok_or("there is work")?;
                instance.complete(&lease, None).await?;
                let page = instance.list_executions(home.clone(), None, 100);
                let page = timed(&mut listing, page).await?;
                assert_eq!(page.executions.len(), 100);
            }
            claims.push(run(claiming));
            pages.push(run(listing));
        }
        rows.push(Row::of(backend, format!("growth/claim/{number}"), 1, claims, None));
        rows.push(Row::of(backend, format!("growth/list/{number}"), 1, pages, None));
    }
    drop(instances);
    place.leave().await
}

/// The result of calls that were made one after the other.
fn run(times: Times) -> Run {
    let each = Duration::from_nanos(times.value_at_quantile(0.5)).as_secs_f64();
    Run { load: Load { per_s: 1.0 / each, times }, limit: None }
}
