//! `cargo xtask matrix`: which backends CI runs on which servers.

use serde::Serialize;

use crate::backends::Backend;
use crate::{CONFORMS, Outcome};

/// Jobs, in the form in which GitHub's `strategy.matrix` reads them.
#[derive(Serialize)]
struct Matrix {
    include: Vec<Job>,
}

/// The suite on one backend and one version of its server.
#[derive(Serialize)]
struct Job {
    backend: &'static str,
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
        match images(backend) {
            [] => vec![Job { backend: name, image: "", arguments: plain }],
            images => images
                .iter()
                .map(|image| Job {
                    backend: name,
                    image,
                    arguments: format!("{plain} --{name}-image {image}"),
                })
                .collect(),
        }
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
