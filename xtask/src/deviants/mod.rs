//! `cargo xtask deviants`: the kill matrix.

mod patched;

use std::time::Instant;

use clap::Args;
use ff_conformance::deviants::all;
use ff_conformance::{HarnessError, Hunt, Options, failure_text, hunt, idle, unbroken};
use ff_provision::Servers;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::progress::{Bar, colour};
use crate::servers::{ImageArguments, with_servers};
use crate::{BREAKS, CONFORMS, Outcome};

#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Only deviants of this name, or that break this clause, and how each was caught
    #[arg(value_name = "NAME|ID")]
    only: Vec<String>,
    /// Where every random choice starts
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Fails if a deviant in Lua or SQL has no server
    #[arg(long)]
    pub(crate) require_servers: bool,
    #[command(flatten)]
    images: ImageArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    with_servers(&arguments.images, async |servers| run_on(arguments, servers).await)
}

pub(crate) async fn run_on(arguments: &Arguments, servers: &Servers) -> Outcome {
    let started = Instant::now();
    let brief = arguments.only.is_empty();
    let options = Options { seed: arguments.seed, brief, ..Options::default() };
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|n| n == name);
    let deviants: Vec<_> = all()
        .into_iter()
        .filter(|deviant| wanted(deviant.name) || wanted(deviant.breaks))
        .collect();
    let patched: Vec<_> = patched::all()
        .into_iter()
        .filter(|deviant| wanted(deviant.name) || wanted(deviant.breaks))
        .collect();
    if deviants.is_empty() && patched.is_empty() {
        return Err("no deviant has such a name or breaks such a clause".into());
    }
    let bar = Bar::new("deviants", deviants.len() + patched.len());
    let hunts = deviants.into_iter().map(async |deviant| {
        // A task of its own, so that hunts share the cores.
        let hunted = tokio::spawn(hunt(deviant, options)).await;
        bar.step();
        Ok::<_, HarnessError>(hunted?)
    });
    let mut hunts = at_once(options.jobs, hunts).await?;
    let idle = if arguments.only.is_empty() { idle(&hunts) } else { Vec::new() };
    let hunted = patched::hunt(&patched, servers, options, &bar).await?;
    hunts.extend(hunted.hunts);
    drop(bar);

    let width = hunts.iter().map(|hunt| hunt.name.len()).max().unwrap_or(0);
    for hunt in &hunts {
        let by = match hunt.killed_by.as_slice() {
            [] => format!("SURVIVES  {}", hunt.how),
            [one] => format!("killed by {}", one.slug),
            [first, rest @ ..] => format!("killed by {} and {} more", first.slug, rest.len()),
        };
        println!("{}  {:width$}  {by}", hunt.breaks, hunt.name);
        if !arguments.only.is_empty() {
            for case in &hunt.killed_by {
                println!("{}", failure_text(&hunt.name, case, colour()));
            }
        }
    }
    for reason in &hunted.missing {
        println!("not tried: {reason}");
    }
    let surviving = hunts.iter().filter(|hunt| hunt.killed_by.is_empty()).count();
    let unbroken = if arguments.only.is_empty() { unbroken() } else { Vec::new() };
    if !unbroken.is_empty() {
        println!("MUST clauses that no deviant breaks: {}", unbroken.join(", "));
    }
    if !idle.is_empty() {
        println!("cases that fail on no deviant of the model: {}", idle.join(", "));
    }
    println!(
        "{} deviants, {} killed, {surviving} survive; {} MUST clauses without one; {:.1} s",
        hunts.len(),
        hunts.len() - surviving,
        unbroken.len(),
        started.elapsed().as_secs_f64()
    );
    let untried = arguments.require_servers && !hunted.missing.is_empty();
    Ok(if surviving == 0 && unbroken.is_empty() && idle.is_empty() && !untried {
        CONFORMS
    } else {
        BREAKS
    })
}

/// Hunts `jobs` of them at once; what became of each, in their order.
async fn at_once<F>(jobs: usize, hunts: impl Iterator<Item = F>) -> Result<Vec<Hunt>, HarnessError>
where
    F: Future<Output = Result<Hunt, HarnessError>>,
{
    let numbered = hunts.enumerate().map(async |(number, hunt)| {
        let hunt: Result<Hunt, HarnessError> = hunt.await;
        hunt.map(|hunt| (number, hunt))
    });
    let hunts = stream::iter(numbered).buffer_unordered(jobs);
    let mut hunts: Vec<_> = hunts.try_collect().await?;
    hunts.sort_by_key(|(number, _)| *number);
    Ok(hunts.into_iter().map(|(_, hunt)| hunt).collect())
}
