//! `cargo xtask matrix`: which backends CI runs on which servers.

use serde::Serialize;

use crate::backends::Backend;
use crate::{CONFORMS, Outcome};

/// Jobs, in the form in which GitHub's `strategy.matrix` reads them.
#[derive(Serialize)]
struct Matrix {
    include: Vec<Job>,
}

/// The suite on one backend, one version of its server, and one kind of clock.
#[derive(Serialize)]
struct Job {
    backend: &'static str,
    /// How time passes; empty where the suite turns the clock.
    clock: &'static str,
    /// The image of the server; empty where the backend has none.
    image: &'static str,
    /// What is passed to `cargo xtask conformance`.
    arguments: String,
}

/// The versions of the server that the suite is run on; the first is the default.
fn images(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Mock | Backend::Sqlite => &[],
        Backend::Postgres => &["postgres:17", "postgres:15"],
        Backend::Valkey => &["valkey/valkey:8.1", "valkey/valkey:7.2"],
    }
}

pub(crate) fn run() -> Outcome {
    println!("{}", serde_json::to_string(&matrix())?);
    Ok(CONFORMS)
}

fn matrix() -> Matrix {
    let jobs = |backend: Backend| {
        let name = backend.name();
        let plain = format!("{name} --require {name}");
        let job = |image, clock, arguments| Job { backend: name, clock, image, arguments };
        let on = |image: &&'static str| job(image, "", format!("{plain} --{name}-image {image}"));
        let mut jobs = match images(backend) {
            [] => vec![job("", "", plain.clone())],
            images => images.iter().map(on).collect(),
        };
        jobs.push(job("", "wall clock", format!("{plain} --wall-clock")));
        jobs
    };
    Matrix { include: Backend::ALL.into_iter().flat_map(jobs).collect() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Door;

    #[test]
    fn every_job_is_a_command_that_is_understood() {
        for job in matrix().include {
            let words = ["cargo xtask", "conformance"].into_iter();
            let parsed = Door::try_parse_from(words.chain(job.arguments.split(' ')));
            assert!(parsed.is_ok(), "{}", job.arguments);
        }
    }
}
