//! `cargo xtask play`: plays a kept sequence of calls again.

use std::path::PathBuf;

use clap::Args;
use ff_conformance::{Recording, play_recording};

use crate::backends::{Backend, Time};
use crate::servers::{ImageArguments, with_servers};
use crate::{BREAKS, CONFORMS, Outcome};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A sequence that a run has kept
    file: PathBuf,
    /// Backends to play it on; the one it was found on if none is named, or else all
    #[arg(long, value_name = "NAME")]
    backend: Vec<Backend>,
    #[command(flatten)]
    images: ImageArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let recording = Recording::read(&arguments.file)?;
    let found_on = |backend: &Backend| backend.name() == recording.found_on;
    let backends = match arguments.backend.as_slice() {
        [] => match Backend::ALL.into_iter().find(found_on) {
            Some(backend) => vec![backend],
            None => Backend::ALL.to_vec(),
        },
        named => named.to_vec(),
    };
    with_servers(&arguments.images, async |servers| {
        let mut outcome = CONFORMS;
        for backend in &backends {
            let harness = backend.harness(servers, Time::Turned).await?;
            let played = play_recording(&harness, &recording).await?;
            harness.finish().await?;
            println!("{}:", backend.name());
            for line in &played.story {
                println!("  {line}");
            }
            match played.difference {
                None => println!("  as the model answers, and so is all that can be seen"),
                Some(difference) => {
                    outcome = BREAKS;
                    println!("  {}", difference.message);
                    for line in &difference.differences {
                        let what = &line.what;
                        println!("    {what}  expected  {}", line.expected);
                        println!("    {:width$}  seen      {}", "", line.seen, width = what.len());
                    }
                }
            }
        }
        Ok(outcome)
    })
}
