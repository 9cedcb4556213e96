//! `cargo xtask test`: everything the project checks, in the order in which it is cheapest to fail.

use std::io;
use std::process::Command;

use clap::Args;
use ff_provision::{Kind, Servers};

use crate::backends::{Backend, Time};
use crate::servers::{ImageArguments, with_servers};
use crate::{BREAKS, CONFORMS, Outcome, cargo, conformance, deviants};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Backends that must be there, by name or `all`; one that is missing is a failure
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    require: Vec<String>,
    #[command(flatten)]
    images: ImageArguments,
}

/// Checks that need no server: a name, and what cargo is asked to do.
const CHECKS: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    (
        "lints",
        &["clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"],
    ),
    ("documentation", &["doc", "--locked", "--workspace", "--no-deps", "--quiet"]),
    ("examples in documentation", &["test", "--locked", "--workspace", "--doc", "--quiet"]),
    // By themselves, as nextest would count what they report as ignored among the passed. The model has its turn
    // with the suite.
    (
        "the suite as a test binary",
        &["test", "--locked", "--workspace", "--test", "memory", "--test", "redb", "--", "--quiet"],
    ),
];

/// Test binaries that run the suite.
const SUITES: [&str; 3] = ["memory", "model", "redb"];

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let required = conformance::required(&arguments.require)?;
    with_servers(&arguments.images, async |servers| {
        // Servers start, and their images are built, while cargo compiles.
        let started = async {
            for kind in Kind::ALL {
                // Why there is none is said where it is missing.
                let _ = servers.get(kind).await;
            }
        };
        let (checked, ()) = futures_util::join!(checks(), started);
        if !checked? {
            return Ok(BREAKS);
        }
        on_servers(&arguments.require, &required, servers).await
    })
}

async fn checks() -> Result<bool, io::Error> {
    for (name, cargo_arguments) in CHECKS {
        heading(name);
        let mut command = cargo(cargo_arguments);
        command.env("RUSTDOCFLAGS", "-D warnings");
        if !succeeds(command).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The suite, the deviants and the tests, all on the same servers.
async fn on_servers(names: &[String], required: &[Backend], servers: &Servers) -> Outcome {
    for time in [Time::Turned, Time::Passing] {
        heading(match time {
            Time::Turned => "the suite",
            Time::Passing => "the suite on the clock of the wall",
        });
        let suite = conformance::Arguments::requiring(names, time);
        if conformance::run_on(&suite, servers).await? != CONFORMS {
            return Ok(BREAKS);
        }
    }
    heading("the deviants");
    if deviants::run_on(&deviants::Arguments::default(), servers).await? != CONFORMS {
        return Ok(BREAKS);
    }
    heading("tests");
    let mut urls = Vec::new();
    let mut skipped = Vec::new();
    for kind in Kind::ALL {
        match servers.get(kind).await {
            Ok(server) => urls.push((kind.url_variable(), server.url.clone())),
            Err(reason) => {
                let needing = format!("needs_{}", kind.name().to_lowercase());
                println!("tests whose names have {needing} are not run: {reason}");
                skipped.push(needing);
                if required.contains(&Backend::on(kind)) {
                    return Ok(BREAKS);
                }
            }
        }
    }
    let mut tests = every_test(&skipped)?;
    tests.envs(urls);
    let passed = succeeds(tests).await?;
    Ok(if passed { CONFORMS } else { BREAKS })
}

fn heading(name: &str) {
    println!("── {name}");
}

/// Every test whose name has none of these. nextest runs them in parallel across binaries; without
/// it cargo's own runner does.
fn every_test(skipped: &[String]) -> Result<Command, io::Error> {
    let mut version = cargo(&["nextest", "--version"]);
    if version.output()?.status.success() {
        let mut excluded = SUITES.map(|suite| format!("binary(={suite})")).to_vec();
        excluded.extend(skipped.iter().map(|name| format!("test({name})")));
        let filter = format!("not ({})", excluded.join(" or "));
        let mut command = cargo(&["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]);
        command.args(["--status-level", "fail", "--filterset", &filter]);
        return Ok(command);
    }
    let mut command =
        cargo(&["test", "--locked", "--workspace", "--all-targets", "--no-fail-fast", "--"]);
    command.args(skipped.iter().flat_map(|name| ["--skip", name]));
    Ok(command)
}

async fn succeeds(command: Command) -> Result<bool, io::Error> {
    let mut command = tokio::process::Command::from(command);
    Ok(command.kill_on_drop(true).status().await?.success())
}
