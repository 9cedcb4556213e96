//! Claims that wait for work: what they ask of the server meanwhile, and how soon work is taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferriskey::Client;
use ff_conformance::{HarnessError, plain_execution};
use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use ff_provision::Kind;
use rand::Rng;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::measure::{Load, Row, Run, Times, timed, times};
use super::place::Place;
use crate::backends::Backend;

const CLAIMS: usize = 300;

/// Instances that the claims are spread over.
const INSTANCES: usize = 4;

const ARRIVALS: usize = 100;

const CREATIONS: usize = 500;

/// When all claims have looked and wait.
const LOOKED: Duration = Duration::from_secs(1);

/// When Postgres has counted what sessions did before they went idle: it may be ten seconds late.
const COUNTED: Duration = Duration::from_secs(12);

/// What waiting has cost the server.
pub(super) struct Idle {
    pub(super) backend: Backend,
    /// Commands, or transactions of one statement.
    pub(super) commands_per_s: Option<f64>,
}

/// Claims on one lane; work arrives at an instance where none of them waits. Before and meanwhile,
/// executions are created on another lane.
pub(super) async fn measure(
    backend: Backend,
    time: Duration,
    rows: &mut Vec<Row>,
) -> Result<Idle, HarnessError> {
    let place = Place::of(backend).await?;
    let mut instances = Vec::new();
    for _ in 0..INSTANCES {
        match backend {
            // What waits for others in one process needs one instance.
            Backend::Mock | Backend::Sqlite if !instances.is_empty() => {
                instances.push(Arc::clone(&instances[0]));
            }
            _ => instances.extend(place.instances(1).await?),
        }
    }
    let creator = match backend {
        Backend::Mock | Backend::Sqlite => Arc::clone(&instances[0]),
        _ => place.instances(1).await?.remove(0),
    };
    let lane = LaneId::new("bench");
    let mut created = vec![(0, creations(&*creator).await?)];
    let (taken, mut arrivals) = mpsc::unbounded_channel();
    let waiting: Vec<_> = (0..CLAIMS)
        .map(|number| {
            let (backend, lane, taken) =
                (Arc::clone(&instances[number % INSTANCES]), lane.clone(), taken.clone());
            tokio::spawn(async move { claims(&*backend, &lane, number, &taken).await })
        })
        .collect();
    // Once everybody has looked, and is waiting, and the server has counted that.
    tokio::time::sleep(if backend == Backend::Postgres { COUNTED } else { LOOKED }).await;
    let (before, begun) = (commands(&place).await?, Instant::now());
    tokio::time::sleep(time).await;
    let after = commands(&place).await?;
    let commands_per_s = before.zip(after).map(|(before, after)| {
        // The two looks at the counter are commands themselves.
        (after - before - 1.0) / begun.elapsed().as_secs_f64()
    });
    created.push((CLAIMS, creations(&*creator).await?));
    let mut times = times()?;
    for _ in 0..ARRIVALS {
        let id = ExecutionId::from_parts(rand::rng().random_range(0..256), Uuid::new_v4());
        let args = plain_execution(id, lane.clone());
        creator.create_execution(args).await?;
        let created = Instant::now();
        let at: Instant = arrivals.recv().await.ok_or("nobody claims")?;
        let waited = at.saturating_duration_since(created);
        times.record(u64::try_from(waited.as_nanos())?.max(1))?;
    }
    for claims in &waiting {
        claims.abort();
    }
    for (claims, times) in created {
        rows.push(row(backend, "idle/creation", claims, times));
    }
    rows.push(row(backend, "idle/arrival", CLAIMS, times));
    place.leave().await?;
    Ok(Idle { backend, commands_per_s })
}

fn row(backend: Backend, scenario: &str, claims: usize, times: Times) -> Row {
    let each = Duration::from_nanos(times.value_at_quantile(0.5)).as_secs_f64();
    let load = Load { per_s: 1.0 / each, times };
    Row::of(backend, scenario, claims, vec![Run { load, limit: None }], None)
}

/// How long creations take on a lane where nobody waits.
async fn creations(creator: &dyn EngineBackend) -> Result<Times, HarnessError> {
    let mut times = times()?;
    for _ in 0..CREATIONS {
        let id = ExecutionId::from_parts(rand::rng().random_range(0..256), Uuid::new_v4());
        let args = plain_execution(id, LaneId::new("elsewhere"));
        timed(&mut times, creator.create_execution(args)).await?;
    }
    Ok(times)
}

/// Waits for work, again and again, and says when there was some.
async fn claims(
    backend: &dyn EngineBackend,
    lane: &LaneId,
    number: usize,
    taken: &mpsc::UnboundedSender<Instant>,
) -> Result<(), HarnessError> {
    let worker = WorkerInstanceId::new(format!("worker-{number}"));
    let patience = Some(Duration::from_mins(10));
    let policy = ClaimPolicy::new(WorkerId::new("worker"), worker, 600_000, patience);
    let offers = CapabilitySet::default();
    loop {
        let claim = backend.claim(lane, &offers, policy.clone());
        if claim.await?.is_some() {
            taken.send(Instant::now())?;
        }
    }
}

/// What the server has done so far.
async fn commands(place: &Place) -> Result<Option<f64>, HarnessError> {
    let Some(scratch) = &place.scratch else {
        return Ok(None);
    };
    let url = &scratch.server.url;
    Ok(Some(match scratch.server.kind {
        Kind::Valkey => commands_of(&ff_provision::connect(url).await?).await?,
        Kind::Postgres => {
            let mut connection = PgConnection::connect(url).await?;
            sqlx::query_scalar(
                "SELECT (xact_commit + xact_rollback)::float8 FROM pg_stat_database \
                 WHERE datname = current_database()",
            )
            .fetch_one(&mut connection)
            .await?
        }
    }))
}

async fn commands_of(client: &Client) -> Result<f64, HarnessError> {
    let stats: String = client.cmd("INFO").arg("stats").execute().await?;
    let line = stats.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    Ok(line.ok_or("the server does not count commands")?.trim().parse()?)
}
