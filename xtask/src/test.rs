//! `cargo xtask test`: everything the project checks, in the order in which it is cheapest to fail.

use std::process::Command;

use clap::Args;
use ff_provision::{Kind, Servers};

use crate::backends::Backend;
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
    (
        "a backend from outside",
        &[
            "test",
            "--locked",
            "--manifest-path",
            "examples/third-party/Cargo.toml",
            "--target-dir",
            "target/third-party",
            "--quiet",
        ],
    ),
    // By itself, as nextest would count what it reports as ignored among the passed. The model has its turn
    // with the suite.
    (
        "the suite as a test binary",
        &["test", "--locked", "--workspace", "--test", "memory", "--", "--quiet"],
    ),
];

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let required = conformance::required(&arguments.require)?;
    for (name, cargo_arguments) in CHECKS {
        heading(name);
        let mut command = cargo(cargo_arguments);
        command.env("RUSTDOCFLAGS", "-D warnings");
        if !succeeds(&mut command)? {
            return Ok(BREAKS);
        }
    }
    with_servers(&arguments.images, async |servers| {
        on_servers(&arguments.require, &required, servers).await
    })
}

/// The suite, the deviants and the tests, all on the same servers.
async fn on_servers(names: &[String], required: &[Backend], servers: &Servers) -> Outcome {
    heading("the suite");
    let suite = conformance::Arguments::requiring(names);
    if conformance::run_on(&suite, servers).await? != CONFORMS {
        return Ok(BREAKS);
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
    let passed = succeeds(every_test(&skipped)?.envs(urls))?;
    Ok(if passed { CONFORMS } else { BREAKS })
}

fn heading(name: &str) {
    println!("── {name}");
}

/// Every test whose name has none of these. nextest runs them in parallel across binaries; without
/// it cargo's own runner does.
fn every_test(skipped: &[String]) -> Result<Command, std::io::Error> {
    let mut version = cargo(&["nextest", "--version"]);
    if version.output()?.status.success() {
        let mut excluded = vec!["binary(=model)".to_owned(), "binary(=memory)".to_owned()];
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

fn succeeds(command: &mut Command) -> Result<bool, std::io::Error> {
    Ok(command.status()?.success())
}
