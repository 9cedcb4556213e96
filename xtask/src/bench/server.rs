//! What calls cost a Valkey server by its own account.

use ff_conformance::{HarnessError, plain_execution};
use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;

use super::place::Place;
use crate::backends::Backend;

const CALLS: usize = 5_000;

/// Prints the time of a creation, a claim and a completion, in microseconds.
pub(super) async fn measure() -> Result<(), HarnessError> {
    let place = Place::of(Backend::Valkey).await?;
    let instances = place.instances(1).await?;
    let (backend, lane) = (&*instances[0], LaneId::new("bench"));
    let offers = CapabilitySet::default();
    let scratch = place.scratch.as_ref().ok_or("Valkey is a server")?;
    let client = ff_provision::connect(&scratch.server.url).await?;
    let reset = async || client.cmd("CONFIG").arg("RESETSTAT").execute::<()>().await;
    let told = async |what: &str, at_once: usize| {
        let stats: String = client.cmd("INFO").arg("commandstats").execute().await?;
        let line = stats.lines().find(|line| line.starts_with("cmdstat_fcall:"));
        let usec = line.and_then(|line| line.split("usec_per_call=").nth(1));
        let usec = usec.and_then(|rest| rest.split(',').next()).unwrap_or("?");
        println!("valkey    {what:<9} {at_once:>2} at once: {usec} µs of server time");
        Ok::<_, HarnessError>(())
    };
    for at_once in [1, 16] {
        reset().await?;
        let create = |_| {
            let id = ExecutionId::from_parts(0, Uuid::new_v4());
            backend.create_execution(plain_execution(id, lane.clone()))
        };
        all(at_once, (0..CALLS).map(create)).await?;
        told("create", at_once).await?;
        reset().await?;
        let worker = WorkerInstanceId::new("worker");
        let policy = ClaimPolicy::new(WorkerId::new("worker"), worker, 60_000, None);
        let claim = |_| backend.claim(&lane, &offers, policy.clone());
        let leases = all(at_once, (0..CALLS).map(claim)).await?;
        told("claim", at_once).await?;
        reset().await?;
        let leases = leases.iter().flatten();
        all(at_once, leases.map(|lease| backend.complete(lease, None))).await?;
        told("complete", at_once).await?;
    }
    drop(instances);
    place.leave().await
}

/// Makes the calls, this many at once.
async fn all<T>(
    at_once: usize,
    calls: impl Iterator<Item = impl Future<Output = Result<T, EngineError>>>,
) -> Result<Vec<T>, EngineError> {
    stream::iter(calls).buffer_unordered(at_once).try_collect().await
}
