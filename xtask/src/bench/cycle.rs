//! Work is created, claimed and completed.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{HarnessError, plain_execution};
use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use rand::Rng;
use uuid::Uuid;

use super::measure::{AsyncWorker, Load, Row, Times, beside_limits, drive, timed};
use super::place::Place;
use crate::backends::Backend;

/// Where the work is.
#[derive(Clone, Copy, Debug)]
enum Spread {
    OnePartition,
    AllPartitions,
}

impl Spread {
    fn partition(self) -> u16 {
        match self {
            Self::OnePartition => 0,
            Self::AllPartitions => rand::rng().random_range(0..256),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::OnePartition => "cycle/one",
            Self::AllPartitions => "cycle/all",
        }
    }
}

/// Creates an execution, takes whatever comes first on the lane, and completes that.
struct Worker {
    backend: Arc<dyn EngineBackend>,
    spread: Spread,
    policy: ClaimPolicy,
}

impl Worker {
    fn new(backend: Arc<dyn EngineBackend>, spread: Spread, number: usize) -> Self {
        let instance = WorkerInstanceId::new(format!("worker-{number}"));
        let policy = ClaimPolicy::new(WorkerId::new("worker"), instance, 60_000, None);
        Self { backend, spread, policy }
    }
}

impl AsyncWorker for Worker {
    async fn work(&mut self, times: &mut Times) -> Result<(), HarnessError> {
        let lane = LaneId::new("bench");
        let id = ExecutionId::from_parts(self.spread.partition(), Uuid::new_v4());
        let create = self.backend.create_execution(plain_execution(id, lane.clone()));
        timed(times, create).await?;
        let offers = CapabilitySet::default();
        loop {
            let claim = self.backend.claim(&lane, &offers, self.policy.clone());
            if let Some(handle) = timed(times, claim).await? {
                timed(times, self.backend.complete(&handle, None)).await?;
                return Ok(());
            }
        }
    }
}

/// So many callers on one lane, for so long.
pub(super) async fn of_one_lane(
    place: &Place,
    callers: usize,
    time: Duration,
) -> Result<Load, HarnessError> {
    let instances = place.instances(callers).await?;
    let workers = instances.into_iter().enumerate();
    let workers =
        workers.map(|(number, instance)| Worker::new(instance, Spread::AllPartitions, number));
    drive(workers, time).await
}

/// Over `connections` connections, work in one partition and in all.
pub(super) async fn measure(
    backend: Backend,
    connections: &[usize],
    time: Duration,
    rows: &mut Vec<Row>,
) -> Result<(), HarnessError> {
    for spread in [Spread::OnePartition, Spread::AllPartitions] {
        let worker = |instance, number| Worker::new(instance, spread, number);
        let what = (backend, spread.name());
        beside_limits(what, connections, time, 100, worker, rows).await?;
    }
    Ok(())
}
