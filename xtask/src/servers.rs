//! `cargo xtask servers`: keeps a Valkey and a Postgres for a working session.

use clap::{Args, Subcommand};
use ff_provision::{Images, Keeper};
use tokio::runtime::Runtime;

use crate::{CONFORMS, COULD_NOT_RUN, Outcome};

/// Which images containers are made from.
#[derive(Args, Clone, Default)]
pub(crate) struct ImageArguments {
    /// Image for Valkey, instead of the official one or one built from Debian's packages
    #[arg(long, value_name = "IMAGE")]
    valkey_image: Option<String>,
    /// Image for Postgres, likewise
    #[arg(long, value_name = "IMAGE")]
    postgres_image: Option<String>,
}

impl From<ImageArguments> for Images {
    fn from(arguments: ImageArguments) -> Self {
        Self {
            valkey: arguments.valkey_image,
            postgres: arguments.postgres_image,
        }
    }
}

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Starts what is not there yet; `conformance` and `test` find it
    Up(ImageArguments),
    /// Ends what `up` has started
    Down,
    /// Shows what is kept
    Status,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let keeper = Keeper::new();
    let runtime = Runtime::new()?;
    match &arguments.action {
        Action::Up(images) => {
            let mut code = CONFORMS;
            for answer in runtime.block_on(keeper.up(images.clone().into()))? {
                match answer {
                    Ok(kept) => println!("{}  {}", kept.url, kept.description),
                    Err(reason) => {
                        println!("{reason}");
                        code = COULD_NOT_RUN;
                    }
                }
            }
            Ok(code)
        }
        Action::Down => {
            for kept in runtime.block_on(keeper.down())? {
                println!("{}  gone", kept.url);
            }
            Ok(CONFORMS)
        }
        Action::Status => {
            let kept = keeper.kept();
            if kept.is_empty() {
                println!("no servers are kept; see `cargo xtask servers up`");
            }
            for kept in kept {
                let state = match runtime.block_on(kept.version()) {
                    Ok(version) => format!("answers as {version}"),
                    Err(error) => format!("does not answer: {error}"),
                };
                println!("{}  {}; {state}", kept.url, kept.description);
            }
            Ok(CONFORMS)
        }
    }
}
