//! What is measured: calls per second beside the server's own limit, and how long calls take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ff_conformance::HarnessError;
use ff_core::engine_backend::EngineBackend;
use futures_util::future;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::limits;
use super::place::Place;
use crate::backends::Backend;

/// Runs of everything; the middle one counts.
pub(super) const RUNS: usize = 3;

/// A line of the report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) backend: &'static str,
    pub(super) scenario: String,
    pub(super) connections: usize,
    pub(super) calls_per_s: f64,
    /// Of something trivial at the same server, over as many connections, in the same run.
    pub(super) limit_per_s: Option<f64>,
    pub(super) ratio: Option<f64>,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    /// Between the backend and its server, if it has one.
    pub(super) messages_per_call: Option<f64>,
    /// The fastest run less the slowest, in parts of the middle one.
    pub(super) spread: f64,
}

/// How long calls have taken, in nanoseconds.
pub(super) type Times = Histogram<u64>;

pub(super) fn times() -> Result<Times, HarnessError> {
    Ok(Histogram::new(3)?)
}

/// Makes a call and notes how long it takes.
pub(super) async fn timed<T, E>(
    times: &mut Times,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, HarnessError>
where
    HarnessError: From<E>,
{
    let begun = Instant::now();
    let answer = call.await?;
    times.record(u64::try_from(begun.elapsed().as_nanos())?)?;
    Ok(answer)
}

/// The result of a run.
pub(super) struct Load {
    pub(super) per_s: f64,
    pub(super) times: Times,
}

/// Each worker makes its calls, one after the other, again and again for so long.
pub(super) async fn drive<W>(
    workers: impl IntoIterator<Item = W>,
    time: Duration,
) -> Result<Load, HarnessError>
where
    W: AsyncWorker,
{
    let begun = Instant::now();
    let working = workers.into_iter().map(|mut worker| {
        tokio::spawn(async move {
            let mut times = times()?;
            while begun.elapsed() < time {
                worker.work(&mut times).await?;
            }
            Ok::<_, HarnessError>(times)
        })
    });
    let mut all = times()?;
    for done in future::join_all(working).await {
        all.add(done??)?;
    }
    let taken = begun.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // Nobody makes 2^52 calls.
    let per_s = all.len() as f64 / taken;
    Ok(Load { per_s, times: all })
}

/// Somebody who makes calls.
pub(super) trait AsyncWorker: Send + 'static {
    /// A few calls, each timed.
    fn work(&mut self, times: &mut Times) -> impl Future<Output = Result<(), HarnessError>> + Send;
}

/// Messages per call to the place's server, when everything is warm.
pub(super) async fn messages<W: AsyncWorker>(
    place: &Place,
    worker: impl Fn(Arc<dyn EngineBackend>) -> W,
    repetitions: usize,
) -> Result<Option<f64>, HarnessError> {
    let Some((instance, proxy)) = place.counted().await? else {
        return Ok(None);
    };
    let mut worker = worker(instance);
    worker.work(&mut times()?).await?;
    let mut counted = times()?;
    let before = proxy.requests();
    for _ in 0..repetitions {
        worker.work(&mut counted).await?;
    }
    #[allow(clippy::cast_precision_loss)] // Some hundreds.
    let each = (proxy.requests() - before) as f64 / counted.len() as f64;
    Ok(Some(each))
}

/// Runs of these workers over each of so many connections, each run beside the server's limit, and messages per
/// call over so many of their rounds.
pub(super) async fn beside_limits<W: AsyncWorker>(
    (backend, scenario): (Backend, &str),
    connections: &[usize],
    time: Duration,
    rounds: usize,
    worker: impl Fn(Arc<dyn EngineBackend>, usize) -> W,
    rows: &mut Vec<Row>,
) -> Result<(), HarnessError> {
    for connections in connections {
        let place = Place::of(backend).await?;
        let instances = place.instances(*connections).await?;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let limit = limits::measure(&place, *connections, time).await?;
            let workers = instances.iter().cloned().enumerate();
            let workers = workers.map(|(number, instance)| worker(instance, number));
            runs.push(Run { load: drive(workers, time).await?, limit });
        }
        let messages = messages(&place, |instance| worker(instance, 0), rounds).await?;
        rows.push(Row::of(backend, scenario, *connections, runs, messages));
        place.leave().await?;
    }
    Ok(())
}

/// A run with its limit, if there is one.
pub(super) struct Run {
    pub(super) load: Load,
    pub(super) limit: Option<f64>,
}

impl Row {
    /// The middle one of some runs.
    pub(super) fn of(
        backend: Backend,
        scenario: impl Into<String>,
        connections: usize,
        mut runs: Vec<Run>,
        messages_per_call: Option<f64>,
    ) -> Self {
        // By what is compared: the ratio if there is a limit.
        let worth = |run: &Run| run.load.per_s / run.limit.unwrap_or(1.0);
        runs.sort_by(|one, other| worth(one).total_cmp(&worth(other)));
        let middle = &runs[runs.len() / 2];
        let spread = (worth(&runs[runs.len() - 1]) - worth(&runs[0])) / worth(middle);
        Self {
            backend: backend.name(),
            scenario: scenario.into(),
            connections,
            calls_per_s: middle.load.per_s,
            limit_per_s: middle.limit,
            ratio: middle.limit.map(|limit| middle.load.per_s / limit),
            p50_us: middle.load.times.value_at_quantile(0.5) / 1_000,
            p99_us: middle.load.times.value_at_quantile(0.99) / 1_000,
            messages_per_call,
            spread,
        }
    }
}
