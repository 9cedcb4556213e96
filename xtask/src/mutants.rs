//! `cargo xtask mutants`: how many small mistakes in the rules the suite would notice.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use ff_conformance::HarnessError;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::{BREAKS, CONFORMS, Outcome, cargo};

/// The rules, which all backends but Valkey share.
const RULES: &str = "backends/transactional/src/**";

/// Where `cargo mutants` reports.
const OUTPUT: &str = "target/mutants";

/// Seconds after which the suite on a mutant is stopped: one that never ends is noticed too.
const LIMIT: &str = "120";

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many mutants are tried
    #[arg(long, value_name = "N", default_value_t = 150)]
    sample: usize,
    /// Decides which
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// All mutants of the lines that this diff changes, instead of a sample
    #[arg(long, value_name = "DIFF", conflicts_with_all = ["sample", "seed"])]
    changed: Option<PathBuf>,
}

/// Tries mutants of the rules, with the suite on the model as their test.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut trying = mutants();
    let which = if let Some(diff) = &arguments.changed {
        trying.arg("--in-diff").arg(diff);
        "lines that changed".to_owned()
    } else {
        sample(arguments, &mut trying)?
    };
    trying.args(["--baseline", "skip", "--timeout", LIMIT, "--output", OUTPUT]);
    trying.args(["--profile", "mutants"]);
    trying.args(["--test-package", "ff-conformance", "--", "--test", "model"]);
    fs::create_dir_all(OUTPUT)?;
    // That mutants survive or run out of time is a finding, told below.
    let ended = trying.status()?;
    if !matches!(ended.code(), Some(0 | 2 | 3)) {
        return Err(format!("`cargo mutants` has failed: {ended}").into());
    }
    let outcomes = |kind: &str| fs::read_to_string(format!("{OUTPUT}/mutants.out/{kind}.txt"));
    let count = |kind: &str| outcomes(kind).map(|names| names.lines().count());
    let missed = outcomes("missed")?;
    let (caught, timeout) = (count("caught")?, count("timeout")?);
    let (tried, noticed) = (caught + timeout + missed.lines().count(), caught + timeout);
    for name in missed.lines() {
        println!("survives  {name}");
    }
    println!(
        "{which}: {noticed} of {tried} mutants noticed; {} more do not compile",
        count("unviable")?
    );
    Ok(if noticed == tried { CONFORMS } else { BREAKS })
}

/// Draws a random sample; says of it what it is.
fn sample(arguments: &Arguments, trying: &mut Command) -> Result<String, HarnessError> {
    let listed = mutants().arg("--list").output()?;
    if !listed.status.success() {
        let told = String::from_utf8_lossy(&listed.stderr);
        return Err(format!("`cargo install cargo-mutants` is needed first: {told}").into());
    }
    let listed = String::from_utf8(listed.stdout)?;
    let mut names: Vec<&str> = listed.lines().collect();
    let all = names.len();
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let (sample, _) = names.partial_shuffle(&mut random, arguments.sample);
    for name in &*sample {
        trying.args(["--re", &format!("^{}$", escaped(name))]);
    }
    Ok(format!("seed {}, out of {all}", arguments.seed))
}

fn mutants() -> Command {
    cargo(&["mutants", "--file", RULES])
}

/// The name as a regular expression that only it matches.
fn escaped(name: &str) -> String {
    // Escaped, other characters mean something else.
    const SPECIAL: &str = r"\.+*?()|[]{}^$#&-~";
    let mut escaped = String::new();
    for letter in name.chars() {
        if SPECIAL.contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
