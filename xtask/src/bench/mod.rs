//! `cargo xtask bench`: what calls cost, beside what the server can do at all, and how that grows.

mod cancellation;
mod cycle;
mod due;
mod flow;
mod grant;
mod growth;
mod idle;
mod limits;
mod measure;
mod place;
mod report;
mod server;
mod suspend;
mod waits;

use std::time::Duration;

use clap::{Args, ValueEnum};
use ff_conformance::{Case, Deployment, Harness, HarnessError, Need, registry};
use ff_provision::Servers;

use measure::beside_limits;

use crate::backends::{Backend, Time};
use crate::servers::{ImageArguments, with_servers};
use crate::{BREAKS, CONFORMS, Outcome, cargo};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Backends to measure; all of them if none is named
    backends: Vec<Backend>,
    /// What to measure; everything if nothing is named
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Seconds of each of the three runs
    #[arg(long, value_name = "N", default_value_t = 2)]
    seconds: u64,
    /// Connections, in `cycle`, `grant`, `flow` and `suspend`
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 16])]
    connections: Vec<usize>,
    /// Members of the flows, in `cancellation`
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_values_t = [1_000, 3_000, 10_000]
    )]
    members: Vec<usize>,
    /// Executions that wait, in `growth` and `due`
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_values_t = [1_000, 10_000, 100_000]
    )]
    waiting: Vec<usize>,
    #[command(flatten)]
    images: ImageArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Create, claim, complete: in one partition, and in all
    Cycle,
    /// Create, keep for a worker, claim, complete: in all partitions
    Grant,
    /// Claims, lists and removals, beside ever more that waits
    Growth,
    /// Flows of a hundred members in a row, built and cancelled
    Flow,
    /// Create, claim, suspend, signal, grant, go on, complete
    Suspend,
    /// Three hundred claims that wait
    Idle,
    /// Whom sixteen callers on one lane wait for at a Postgres server
    Waits,
    /// What calls cost a Valkey server by its own account
    Server,
    /// Flows of many members, cancelled
    Cancellation,
    /// What is due, beside ever more that is not
    Due,
}

/// A list of what is due.
#[derive(Clone, Copy, Debug)]
struct Listing {
    /// Executions that were not due.
    waiting: usize,
    time: Duration,
}

/// What a call has cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    time: Duration,
    /// Between the backend and its server, if it has one.
    round_trips: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if cfg!(debug_assertions) {
        return in_release();
    }
    with_servers(&arguments.images, async |servers| run_on(arguments, servers).await)
}

/// The same command, built as it would be used.
fn in_release() -> Outcome {
    let mut release = cargo(&["run", "--quiet", "--release", "--package", "xtask", "--"]);
    let status = release.args(std::env::args_os().skip(1)).status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(BREAKS))
}

async fn run_on(arguments: &Arguments, servers: &Servers) -> Outcome {
    let chosen = match arguments.backends.as_slice() {
        [] => &Backend::ALL,
        named => named,
    };
    let scenarios = match arguments.scenario.as_slice() {
        [] => Scenario::value_variants(),
        named => named,
    };
    let (mut rows, mut idle) = (Vec::new(), Vec::new());
    let mut all_end = true;
    for backend in chosen {
        let harness = match backend.harness(servers, Time::Turned).await {
            Ok(harness) => harness,
            Err(reason) => {
                println!("{:<8}  is not there: {reason}", backend.name());
                continue;
            }
        };
        for scenario in scenarios {
            let from = rows.len();
            let time = Duration::from_secs(arguments.seconds);
            match scenario {
                Scenario::Cycle => {
                    cycle::measure(*backend, &arguments.connections, time, &mut rows).await?;
                }
                Scenario::Grant => {
                    let what = (*backend, "grant");
                    let worker = grant::Worker::new;
                    beside_limits(what, &arguments.connections, time, 100, worker, &mut rows)
                        .await?;
                }
                Scenario::Growth => {
                    growth::measure(*backend, &arguments.waiting, &mut rows).await?;
                }
                Scenario::Flow => {
                    flow::measure(*backend, &arguments.connections, time, &mut rows).await?;
                }
                Scenario::Suspend => {
                    let what = (*backend, "suspend");
                    let worker = suspend::Worker::new;
                    beside_limits(what, &arguments.connections, time, 100, worker, &mut rows)
                        .await?;
                }
                Scenario::Idle => idle.push(idle::measure(*backend, time, &mut rows).await?),
                Scenario::Waits if *backend == Backend::Postgres => waits::measure(time).await?,
                Scenario::Server if *backend == Backend::Valkey => server::measure().await?,
                Scenario::Server | Scenario::Waits => {}
                Scenario::Cancellation => {
                    all_end &= cancellations(*backend, &*harness, &arguments.members).await?;
                }
                Scenario::Due => dues(*backend, &*harness, &arguments.waiting).await?,
            }
            if rows.len() > from {
                println!("{}", report::table(&rows[from..]));
            }
        }
        harness.finish().await?;
    }
    for idle in &idle {
        if let Some(commands) = idle.commands_per_s {
            println!(
                "{:<8}  {commands:.0} commands a second by claims that wait",
                idle.backend.name()
            );
        }
    }
    if !rows.is_empty() {
        println!("{}", report::table(&rows));
        println!("report: {}", report::write(&rows)?.display());
    }
    Ok(if all_end { CONFORMS } else { BREAKS })
}

async fn cancellations(
    backend: Backend,
    harness: &dyn Harness,
    members: &[usize],
) -> Result<bool, HarnessError> {
    println!("cancel_flow of all members, with a wait, until every one has ended");
    println!("backend    members      time  a member  round trips");
    let mut all_end = true;
    for members in members {
        let measured = cancellation::measure(harness, *members).await?;
        all_end &= measured.alive == 0;
        println!("{:<8}  {}", backend.name(), line(*members, measured.cost));
        if measured.alive > 0 {
            println!("{:<8}  {} members have not ended", "", measured.alive);
        }
    }
    Ok(all_end)
}

async fn dues(
    backend: Backend,
    harness: &dyn Harness,
    waiting: &[usize],
) -> Result<(), HarnessError> {
    println!("due in one partition, of which ten executions are due");
    println!("backend    waiting      time  of the first");
    let listings = due::measure(harness, waiting).await?;
    let first = listings.first().map_or(Duration::ZERO, |listing| listing.time);
    for Listing { waiting, time } in &listings {
        let micros = time.as_micros();
        let growth = time.as_secs_f64() / first.as_secs_f64();
        println!("{:<8}  {waiting:>8}  {micros:>5} µs  {growth:>12.2}", backend.name());
    }
    Ok(())
}

fn line(members: usize, cost: Cost) -> String {
    let each =
        cost.time.as_secs_f64() * 1e6 / f64::from(u32::try_from(members).unwrap_or(u32::MAX));
    let trips = cost.round_trips.map_or("–".to_owned(), |trips| trips.to_string());
    let time = cost.time.as_millis();
    format!("{members:>8}  {time:>5} ms  {each:>5.0} µs  {trips:>11}")
}

/// A deployment whose round trips are counted.
pub(crate) async fn counted(harness: &dyn Harness) -> Result<Deployment, HarnessError> {
    let is_counted = |case: &Case| case.needs.contains(&Need::Nemesis);
    let case = registry().into_iter().find(is_counted).ok_or("no case cuts a server off")?;
    harness.deploy(&case).await
}
