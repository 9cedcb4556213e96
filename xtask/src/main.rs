//! `cargo xtask …`: the one door to everything the project can do.

mod backends;
mod bench;
mod conformance;
mod deviants;
mod matrix;
mod mutants;
mod play;
mod progress;
mod servers;
mod test;

use std::process::{self, ExitCode};

use clap::{Parser, Subcommand};

/// Exit codes: everything conforms, something does not, it could not be found out.
pub(crate) const CONFORMS: u8 = 0;
pub(crate) const BREAKS: u8 = 1;
pub(crate) const COULD_NOT_RUN: u8 = 2;

/// Checks backends of `FlowFabric` against its contract.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Door {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the suite on backends and writes a report
    Conformance(conformance::Arguments),
    /// Checks everything: format, lints, tests, the suite, the deviants
    Test(test::Arguments),
    /// Prints the jobs of CI as JSON
    Matrix,
    /// Keeps a Valkey and a Postgres for a working session
    Servers(servers::Arguments),
    /// Plays a sequence of calls again that a run has kept
    Play(play::Arguments),
    /// Runs the suite on backends that are wrong on purpose, and shows which case caught each
    Deviants(deviants::Arguments),
    /// Tries small mistakes in the rules, and shows which the suite does not notice
    Mutants(mutants::Arguments),
    /// Measures what calls cost, and how that grows
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Door::parse().command {
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Matrix => matrix::run(),
        Command::Servers(arguments) => servers::run(&arguments),
        Command::Play(arguments) => play::run(&arguments),
        Command::Deviants(arguments) => deviants::run(&arguments),
        Command::Mutants(arguments) => mutants::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(deeper) = cause {
                eprintln!("  because: {deeper}");
                cause = deeper.source();
            }
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// The result of a command: an exit code, or why it could not run.
pub(crate) type Outcome = Result<u8, Box<dyn std::error::Error + Send + Sync>>;

/// The cargo that runs this, asked to do something.
pub(crate) fn cargo(arguments: &[&str]) -> process::Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = process::Command::new(cargo);
    // Tests look at the environment's guard themselves.
    command.args(arguments).env_remove("FF_DEV_MODE");
    command
}
