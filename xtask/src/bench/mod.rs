//! `cargo xtask bench`: what calls cost, and how that grows.

mod cancellation;
mod due;

use std::time::Duration;

use clap::Args;
use ff_conformance::{Case, Deployment, Harness, HarnessError, Need, registry};
use ff_provision::Servers;

use crate::backends::Backend;
use crate::servers::{ImageArguments, with_servers};
use crate::{BREAKS, CONFORMS, Outcome};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Backends to measure; all of them if none is named
    backends: Vec<Backend>,
    /// Members of the flows that are cancelled
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_values_t = [1_000, 3_000, 10_000]
    )]
    members: Vec<usize>,
    /// Executions that are not due, beside ten that are
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
    with_servers(&arguments.images, async |servers| {
        run_on(arguments, servers).await
    })
}

async fn run_on(arguments: &Arguments, servers: &Servers) -> Outcome {
    let chosen = match arguments.backends.as_slice() {
        [] => &Backend::ALL,
        named => named,
    };
    println!("cancel_flow of all members, with a wait, until every one has ended");
    println!("backend    members      time  a member  round trips");
    let mut all_end = true;
    for backend in chosen {
        let harness = match backend.harness(servers).await {
            Ok(harness) => harness,
            Err(reason) => {
                println!("{:<8}  is not there: {reason}", backend.name());
                continue;
            }
        };
        for members in &arguments.members {
            let measured = cancellation::measure(&*harness, *members).await?;
            all_end &= measured.alive == 0;
            println!("{:<8}  {}", backend.name(), line(*members, measured.cost));
            if measured.alive > 0 {
                println!("{:<8}  {} members have not ended", "", measured.alive);
            }
        }
        harness.finish().await?;
    }
    println!("due in one partition, of which ten executions are due");
    println!("backend    waiting      time  of the first");
    for backend in chosen {
        // That a backend is not there was said above.
        let Ok(harness) = backend.harness(servers).await else {
            continue;
        };
        let listings = due::measure(&*harness, &arguments.waiting).await?;
        let first = listings
            .first()
            .map_or(Duration::ZERO, |listing| listing.time);
        for Listing { waiting, time } in &listings {
            let micros = time.as_micros();
            let growth = time.as_secs_f64() / first.as_secs_f64();
            println!(
                "{:<8}  {waiting:>8}  {micros:>5} µs  {growth:>12.2}",
                backend.name()
            );
        }
        harness.finish().await?;
    }
    Ok(if all_end { CONFORMS } else { BREAKS })
}

fn line(members: usize, cost: Cost) -> String {
    let each =
        cost.time.as_secs_f64() * 1e6 / f64::from(u32::try_from(members).unwrap_or(u32::MAX));
    let trips = cost
        .round_trips
        .map_or("–".to_owned(), |trips| trips.to_string());
    let time = cost.time.as_millis();
    format!("{members:>8}  {time:>5} ms  {each:>5.0} µs  {trips:>11}")
}

/// A deployment whose round trips are counted.
async fn counted(harness: &dyn Harness) -> Result<Deployment, HarnessError> {
    let is_counted = |case: &Case| case.needs.contains(&Need::Nemesis);
    let case = registry().into_iter().find(is_counted);
    harness
        .deploy(&case.ok_or("no case cuts a server off")?)
        .await
}
