//! A running Valkey or Postgres for whoever asks.
//!
//! A ladder of ways, the first that works is taken: a URL from the environment, a server kept by
//! `cargo xtask servers up`, a container, a binary found on this machine. Whatever was started here
//! is stopped and removed with the [`Servers`] it belongs to, also after a failure or a signal.

mod absent;
mod binary;
mod container;
mod frames;
mod image;
mod keep;
mod probe;
mod proxy;
mod scratch;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

pub use absent::Absent;
pub use keep::{Keeper, Kept};
pub use probe::connect;
pub use proxy::Proxy;
pub use scratch::{Scratch, keys, remove_keys};

/// What a Postgres is started with. Nothing in it outlives a run, so nothing is written, or waited for, for
/// the case that the machine fails.
pub(crate) const POSTGRES: &[&str] = &[
    "-c",
    "fsync=off",
    "-c",
    "synchronous_commit=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "max_connections=300",
];

/// What kind of server.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Valkey,
    Postgres,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Valkey, Self::Postgres];

    pub fn name(self) -> &'static str {
        match self {
            Self::Valkey => "Valkey",
            Self::Postgres => "Postgres",
        }
    }

    /// The environment variable that names a server to use.
    pub fn url_variable(self) -> &'static str {
        match self {
            Self::Valkey => "FF_VALKEY_URL",
            Self::Postgres => "FF_POSTGRES_URL",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Valkey => 6379,
            Self::Postgres => 5432,
        }
    }

    fn url(self, host: &str, port: u16) -> String {
        match self {
            Self::Valkey => format!("valkey://{host}:{port}"),
            Self::Postgres => format!("postgres://postgres@{host}:{port}/postgres"),
        }
    }

    /// What has to be on a machine for a server to be found there.
    fn install(self) -> String {
        let package = match self {
            Self::Valkey => "valkey-server, 7.2 or newer (in Debian 13, or in the backports of 12)",
            Self::Postgres => "postgres and initdb (Debian: postgresql)",
        };
        format!("set {}, or start a Docker engine, or install {package}", self.url_variable())
    }
}

/// Which images to run; `None` stands for the official one, or one built here if no registry
/// answers.
#[derive(Clone, Debug, Default)]
pub struct Images {
    pub valkey: Option<String>,
    pub postgres: Option<String>,
}

impl Images {
    fn of(&self, kind: Kind) -> Option<&String> {
        match kind {
            Kind::Valkey => self.valkey.as_ref(),
            Kind::Postgres => self.postgres.as_ref(),
        }
    }
}

/// How a server was provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The environment names it.
    Environment,
    /// `cargo xtask servers up` started it.
    Kept,
    /// A container of this image.
    Container { image: String },
    /// A binary of this machine.
    Binary { path: String },
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("URL from the environment"),
            Self::Kept => f.write_str("kept by servers up"),
            Self::Container { image } => write!(f, "container {image}"),
            Self::Binary { path } => write!(f, "binary {path}"),
        }
    }
}

/// A server that answers.
#[derive(Debug)]
pub struct Server {
    pub kind: Kind,
    pub url: String,
    pub rung: Rung,
    /// As the server tells it.
    pub version: String,
    /// From the decision to start it to its first answer.
    pub started_in: Duration,
}

impl Server {
    /// One that was decided upon then, and answers now.
    fn since(begun: Instant, kind: Kind, url: String, rung: Rung, version: String) -> Self {
        Self { kind, url, rung, version, started_in: begun.elapsed() }
    }

    /// The rung and the time it took, for reports.
    pub fn provisioned(&self) -> String {
        format!("{}, up in {} ms", self.rung, self.started_in.as_millis())
    }
}

/// What was started and has to be stopped.
enum Running {
    Container(Box<container::Running>),
    Binary(binary::Running),
}

/// The servers of one run. Each is started when it is first asked for, and shared from then on.
#[derive(Default)]
pub struct Servers {
    images: Images,
    known: Mutex<BTreeMap<Kind, Result<Arc<Server>, Absent>>>,
    running: Mutex<Vec<Running>>,
}

impl Servers {
    pub fn new(images: Images) -> Self {
        Self { images, ..Self::default() }
    }

    /// The server, or why there is none and what would help.
    pub async fn get(&self, kind: Kind) -> Result<Arc<Server>, Absent> {
        let mut known = self.known.lock().await;
        if let Some(answer) = known.get(&kind) {
            return answer.clone();
        }
        let answer = self.climb(kind).await.map(Arc::new);
        known.insert(kind, answer.clone());
        answer
    }

    /// Stops and removes what was started.
    pub async fn down(&self) {
        self.known.lock().await.clear();
        for running in std::mem::take(&mut *self.running.lock().await) {
            match running {
                Running::Container(container) => container.remove().await,
                Running::Binary(binary) => binary.stop().await,
            }
        }
    }

    /// Before anything is waited for, so that `down` finds it whenever it comes.
    async fn keep_track(&self, running: Running) {
        self.running.lock().await.push(running);
    }

    async fn climb(&self, kind: Kind) -> Result<Server, Absent> {
        let begun = Instant::now();
        let server = |url, rung, version| Server::since(begun, kind, url, rung, version);
        if let Ok(url) = std::env::var(kind.url_variable()) {
            // Whoever names a server means that one and no other.
            let version = probe::version(kind, &url).await;
            // The URL may have a password.
            let version =
                version.map_err(|error| Absent::named(kind, kind.url_variable(), error))?;
            return Ok(server(url, Rung::Environment, version));
        }
        if let Some(url) = Keeper::kept_url(kind)
            && let Ok(version) = probe::version(kind, &url).await
        {
            return Ok(server(url, Rung::Kept, version));
        }
        self.start(kind).await
    }

    /// A server that nobody else uses, for tests that change how it works; or why there is none.
    ///
    /// # Errors
    ///
    /// There is neither a container engine nor a binary.
    pub async fn start(&self, kind: Kind) -> Result<Server, Absent> {
        let begun = Instant::now();
        let server = |url, rung, version| Server::since(begun, kind, url, rung, version);
        let in_container = match container::start(kind, &self.images).await {
            Ok((running, url, image)) => {
                self.keep_track(Running::Container(Box::new(running))).await;
                match probe::answering(kind, &url).await {
                    Ok(version) => return Ok(server(url, Rung::Container { image }, version)),
                    Err(error) => format!("container {image}: {error}"),
                }
            }
            Err(error) => error,
        };
        if self.images.of(kind).is_some() {
            // As with a URL.
            return Err(Absent::named(kind, "the image that was named", in_container));
        }
        let as_binary = match binary::start(kind).await {
            Ok((running, url, path)) => {
                self.keep_track(Running::Binary(running)).await;
                match probe::answering(kind, &url).await {
                    Ok(version) => return Ok(server(url, Rung::Binary { path }, version)),
                    Err(error) => format!("{path}: {error}"),
                }
            }
            Err(error) => error,
        };
        Err(Absent::on_this_machine(kind, vec![in_container, as_binary]))
    }
}
