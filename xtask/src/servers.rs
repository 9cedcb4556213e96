//! `cargo xtask servers`: keeps a Valkey and a Postgres for a working session.

use clap::{Args, Subcommand};
use ff_provision::{Images, Keeper, Servers};
use tokio::runtime::Runtime;
use tokio::signal::unix::SignalKind;

use crate::backends::Missing;
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
        Self { valkey: arguments.valkey_image, postgres: arguments.postgres_image }
    }
}

/// Does some work with servers, which are gone afterwards: also if it fails, and if a signal ends it.
pub(crate) fn with_servers(
    images: &ImageArguments,
    work: impl AsyncFnOnce(&Servers) -> Outcome,
) -> Outcome {
    let servers = Servers::new(images.clone().into());
    Runtime::new()?.block_on(async {
        let outcome = tokio::select! {
            outcome = work(&servers) => outcome,
            signal = signal() => Err(format!("ended by {signal}").into()),
        };
        servers.down().await;
        outcome
    })
}

/// The signal that asks this process to end, once one does.
async fn signal() -> &'static str {
    let terminated = async {
        match tokio::signal::unix::signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
        () = terminated => "SIGTERM",
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
                    Err(absent) => {
                        println!("{}", Missing::from(absent));
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
