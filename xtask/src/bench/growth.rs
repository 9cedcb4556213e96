//! What looks for work, for what has run out and for what has ended, beside ever more work that waits.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{HarnessError, plain_execution};
use ff_core::backend::{CapabilitySet, ClaimPolicy, ScannerFilter};
use ff_core::contracts::{ClaimExecutionResult, ListExpiredLeasesArgs, ScanEligibleArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;

use super::grant::{asking, claiming, granted};
use super::measure::{Load, RUNS, Row, Run, Times, timed, times};
use super::place::Place;
use crate::backends::Backend;

/// Calls of a run.
const CALLS: usize = 101;

/// Creations at once.
const AT_ONCE: usize = 16;

/// Leases that have run out.
const EXPIRED: usize = 10;

/// Where the work is.
const HOME: Partition = Partition { family: PartitionFamily::Flow, index: 0 };

/// With each number of executions that wait in one partition, in ascending order.
pub(super) async fn measure(
    backend: Backend,
    numbers: &[usize],
    rows: &mut Vec<Row>,
) -> Result<(), HarnessError> {
    let place = Place::of(backend).await?;
    let instances = place.instances(AT_ONCE).await?;
    let worker = Worker::new(Arc::clone(&instances[0]));
    worker.leave_behind().await?;
    let mut waiting = 0;
    for number in numbers {
        let creating = stream::iter(waiting..*number).map(|at| {
            let args = plain_execution(new_id(), worker.lane.clone());
            instances[at % instances.len()].create_execution(args)
        });
        let _: Vec<_> = creating.buffer_unordered(AT_ONCE).try_collect().await?;
        waiting = *number;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let mut seen = Seen::new()?;
            for _ in 0..CALLS {
                worker.work(&mut seen).await?;
            }
            runs.push(seen);
        }
        for (place, (name, _)) in Seen::new()?.0.iter().enumerate() {
            let of_name = runs.iter().map(|seen| run(seen.0[place].1.clone()));
            let name = format!("growth/{name}/{number}");
            rows.push(Row::of(backend, name, 1, of_name.collect(), None));
        }
    }
    drop(worker);
    drop(instances);
    place.leave().await
}

/// How long each kind of calls has taken.
struct Seen(Vec<(&'static str, Times)>);

impl Seen {
    fn new() -> Result<Self, HarnessError> {
        let names = ["claim", "assign", "scan", "list", "expired", "trim"];
        let each = names.into_iter().map(|name| Ok((name, times()?)));
        each.collect::<Result<_, HarnessError>>().map(Self)
    }

    fn of(&mut self, name: &str) -> &mut Times {
        let named = self.0.iter_mut().find(|(known, _)| *known == name);
        named.map(|(_, times)| times).expect("it is one of the names")
    }
}

/// Somebody who takes two of the executions that wait, and looks around.
struct Worker {
    backend: Arc<dyn EngineBackend>,
    lane: LaneId,
    instance: WorkerInstanceId,
}

fn new_id() -> ExecutionId {
    ExecutionId::from_parts(HOME.index, Uuid::new_v4())
}

impl Worker {
    fn new(backend: Arc<dyn EngineBackend>) -> Self {
        Self { backend, lane: LaneId::new("bench"), instance: WorkerInstanceId::new("worker") }
    }

    fn policy(&self, ttl: u32) -> ClaimPolicy {
        ClaimPolicy::new(WorkerId::new("worker"), self.instance.clone(), ttl, None)
    }

    /// Leases that run out at once.
    async fn leave_behind(&self) -> Result<(), HarnessError> {
        let (lane, offers) = (LaneId::new("left"), CapabilitySet::default());
        for _ in 0..EXPIRED {
            self.backend.create_execution(plain_execution(new_id(), lane.clone())).await?;
            let claim = self.backend.claim(&lane, &offers, self.policy(1));
            claim.await?.ok_or("there is work")?;
        }
        Ok(())
    }

    async fn work(&self, seen: &mut Seen) -> Result<(), HarnessError> {
        let backend = &self.backend;
        let offers = CapabilitySet::default();
        let claim = backend.claim(&self.lane, &offers, self.policy(60_000));
        let lease = timed(seen.of("claim"), claim).await?.ok_or("there is work")?;
        backend.complete(&lease, None).await?;
        let ask = backend.claim_for_worker(asking(&self.lane, &self.instance));
        let kept = granted(timed(seen.of("assign"), ask).await?).ok_or("there is work")?;
        let claim = backend.claim_execution(claiming(kept, &self.lane, &self.instance)).await?;
        let ClaimExecutionResult::Claimed(claimed) = claim else {
            return Err("what is kept for a worker is not claimed".into());
        };
        backend.complete(&claimed.handle, None).await?;
        let scan = ScanEligibleArgs::new(self.lane.clone(), HOME, 100);
        let scan = timed(seen.of("scan"), backend.scan_eligible_executions(scan)).await?;
        assert_eq!(scan.len(), 100);
        let page = backend.list_executions(PartitionKey::from(&HOME), None, 100);
        assert_eq!(timed(seen.of("list"), page).await?.executions.len(), 100);
        let expired = backend.list_expired_leases(ListExpiredLeasesArgs::new(TimestampMs::now()));
        assert_eq!(timed(seen.of("expired"), expired).await?.entries.len(), EXPIRED);
        for _ in 0..2 {
            let (now, filter) = (TimestampMs::now(), ScannerFilter::NOOP);
            let trim = backend.trim_retention(HOME, &self.lane, 0, now, 1, &filter);
            assert_eq!(timed(seen.of("trim"), trim).await?, 1);
        }
        Ok(())
    }
}

/// The result of calls that were made one after the other.
fn run(times: Times) -> Run {
    let each = Duration::from_nanos(times.value_at_quantile(0.5)).as_secs_f64();
    Run { load: Load { per_s: 1.0 / each, times }, limit: None }
}
