//! `cargo xtask test`: everything the project checks, in the order in which it is cheapest to fail.

use std::process::Command;

use clap::Args;

use crate::{BREAKS, CONFORMS, Outcome, conformance, deviants};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Backends that must be there, by name or `all`; one that is missing is a failure
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    require: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let steps: [(&str, &[&str]); 5] = [
        ("format", &["fmt", "--all", "--check"]),
        (
            "lints",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ],
        ),
        (
            "examples in documentation",
            &["test", "--workspace", "--doc", "--quiet"],
        ),
        (
            "a backend from outside",
            &[
                "test",
                "--manifest-path",
                "examples/third-party/Cargo.toml",
                "--target-dir",
                "target/third-party",
                "--quiet",
            ],
        ),
        // By themselves, as nextest would count what they report as ignored among the passed.
        (
            "the suite as a test binary",
            &[
                "test",
                "--workspace",
                "--test",
                "model",
                "--test",
                "memory",
                "--",
                "--quiet",
            ],
        ),
    ];
    for (name, cargo_arguments) in steps {
        heading(name);
        if !cargo(cargo_arguments)? {
            return Ok(BREAKS);
        }
    }
    heading("the suite");
    if conformance::run(&conformance::Arguments::requiring(&arguments.require))? != CONFORMS {
        return Ok(BREAKS);
    }
    heading("the deviants");
    if deviants::run(&deviants::Arguments::default())? != CONFORMS {
        return Ok(BREAKS);
    }
    heading("tests");
    let passed = if has_nextest() {
        cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--status-level",
            "fail",
            "--filterset",
            "not binary(=model) and not binary(=memory)",
        ])?
    } else {
        cargo(&["test", "--workspace", "--all-targets", "--no-fail-fast"])?
    };
    Ok(if passed { CONFORMS } else { BREAKS })
}

fn heading(name: &str) {
    println!("── {name}");
}

/// Whether cargo with these arguments succeeded.
fn cargo(arguments: &[&str]) -> Result<bool, std::io::Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Tests look at the environment's guard themselves.
    let status = Command::new(cargo)
        .args(arguments)
        .env_remove("FF_DEV_MODE")
        .status()?;
    Ok(status.success())
}

/// nextest runs tests in parallel across binaries; without it cargo's own runner does.
fn has_nextest() -> bool {
    let version = Command::new("cargo")
        .args(["nextest", "--version"])
        .output();
    version.is_ok_and(|output| output.status.success())
}
