//! What calls cost a Valkey server by its own account.

use ff_conformance::{HarnessError, plain_execution};
use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use uuid::Uuid;

use super::place::Place;
use crate::backends::Backend;

const CALLS: usize = 5_000;

/// Prints the time of a creation, a claim and a completion, in microseconds.
pub(super) async fn measure() -> Result<(), HarnessError> {
    let place = Place::of(Backend::Valkey).await?;
    let instances = place.instances(1).await?;
    let (backend, lane) = (&instances[0], LaneId::new("bench"));
    let scratch = place.scratch.as_ref().ok_or("Valkey is a server")?;
    let client = ff_provision::connect(&scratch.server.url).await?;
    let reset = async || client.cmd("CONFIG").arg("RESETSTAT").execute::<()>().await;
    let told = async |what: &str| {
        let stats: String = client.cmd("INFO").arg("commandstats").execute().await?;
        let line = stats
            .lines()
            .find(|line| line.starts_with("cmdstat_fcall:"));
        let usec = line.and_then(|line| line.split("usec_per_call=").nth(1));
        let usec = usec.and_then(|rest| rest.split(',').next()).unwrap_or("?");
        println!("valkey    {what:<9} {usec} µs of server time");
        Ok::<_, HarnessError>(())
    };
    reset().await?;
    for _ in 0..CALLS {
        let id = ExecutionId::from_parts(0, Uuid::new_v4());
        backend
            .create_execution(plain_execution(id, lane.clone()))
            .await?;
    }
    told("create").await?;
    let worker = WorkerInstanceId::new("worker");
    let policy = ClaimPolicy::new(WorkerId::new("worker"), worker, 60_000, None);
    let mut leases = Vec::new();
    reset().await?;
    for _ in 0..CALLS {
        let claim = backend
            .claim(&lane, &CapabilitySet::default(), policy.clone())
            .await?;
        leases.push(claim.ok_or("there is work")?);
    }
    told("claim").await?;
    reset().await?;
    for lease in &leases {
        backend.complete(lease, None).await?;
    }
    told("complete").await?;
    place.leave().await
}
