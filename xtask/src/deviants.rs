//! `cargo xtask deviants`: the kill matrix.

use std::time::Instant;

use clap::Args;
use ff_conformance::deviants::{Fate, all, hunt, unbroken};
use ff_conformance::{Options, failure_text};
use tokio::runtime::Runtime;

use crate::progress::{Bar, colour};
use crate::{BREAKS, CONFORMS, Outcome};

#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Only deviants of this name, or that break this clause, and how each was caught
    #[arg(value_name = "NAME|ID")]
    only: Vec<String>,
    /// Where every random choice starts
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let started = Instant::now();
    let options = Options {
        seed: arguments.seed,
        jobs: 16,
        shuffle: false,
        repeat: 1,
    };
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|n| n == name);
    let deviants: Vec<_> = all()
        .into_iter()
        .filter(|deviant| wanted(deviant.name) || wanted(deviant.breaks))
        .collect();
    if deviants.is_empty() {
        return Err("no deviant has such a name or breaks such a clause".into());
    }
    let bar = Bar::new("deviants", deviants.len());
    let fates: Vec<Fate> = Runtime::new()?.block_on(async {
        let mut fates = Vec::new();
        for deviant in deviants {
            fates.push(hunt(deviant, options).await);
            bar.step();
        }
        fates
    });
    drop(bar);

    let width = fates.iter().map(|fate| fate.name.len()).max().unwrap_or(0);
    for fate in &fates {
        let by = match fate.killed_by.as_slice() {
            [] => format!("SURVIVES  {}", fate.how),
            [one] => format!("killed by {}", one.slug),
            [first, rest @ ..] => format!("killed by {} and {} more", first.slug, rest.len()),
        };
        println!("{}  {:width$}  {by}", fate.breaks, fate.name);
        if !arguments.only.is_empty() {
            for case in &fate.killed_by {
                println!("{}", failure_text(fate.name, case, colour()));
            }
        }
    }
    let surviving = fates
        .iter()
        .filter(|fate| fate.killed_by.is_empty())
        .count();
    let unbroken = if arguments.only.is_empty() {
        unbroken()
    } else {
        Vec::new()
    };
    if !unbroken.is_empty() {
        println!(
            "MUST clauses that no deviant breaks: {}",
            unbroken.join(", ")
        );
    }
    println!(
        "{} deviants, {} killed, {surviving} survive; {} MUST clauses without one; {:.1} s",
        fates.len(),
        fates.len() - surviving,
        unbroken.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(if surviving == 0 && unbroken.is_empty() {
        CONFORMS
    } else {
        BREAKS
    })
}
