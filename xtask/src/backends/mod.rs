//! The backends of this project, as the suite deploys them.

#[cfg(test)]
mod attack;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod deployments;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod metered;
mod postgres;
#[cfg(test)]
mod projections;
#[cfg(test)]
mod round;
mod sqlite;
mod valkey;
mod vandals;

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

use ff_conformance::{CaseInfo, Harness, ModelHarness, Need, Nemesis, rerun_by_xtask};
use ff_core::clock::{Clock, ManualClock};
use ff_provision::{Absent, Kind, Proxy, Server, Servers};

pub(crate) use postgres::PostgresHarness;
use sqlite::SqliteHarness;
pub(crate) use valkey::ValkeyHarness;

/// Cuts a server off.
struct CutOff(Proxy);

impl CutOff {
    /// Something that can, if the case needs it.
    async fn of(server: &Server, case: &CaseInfo) -> io::Result<Option<Self>> {
        if !case.needs.contains(&Need::Nemesis) {
            return Ok(None);
        }
        Ok(Some(Self(Proxy::before(server).await?)))
    }
}

impl Nemesis for CutOff {
    fn lose_request(&self, after: usize) {
        self.0.lose_request(after);
    }

    fn lose_answer(&self, after: usize) {
        self.0.lose_answer(after);
    }

    fn spare(&self) -> bool {
        self.0.spare()
    }

    fn requests(&self) -> usize {
        self.0.requests()
    }
}

/// How time passes for deployments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Time {
    /// By clocks that the suite turns.
    #[default]
    Turned,
    /// By itself.
    Passing,
}

impl Time {
    /// A clock for one deployment.
    fn clock(self) -> Clock {
        match self {
            Self::Turned => ManualClock::new().into(),
            Self::Passing => Clock::Server,
        }
    }

    /// The command that runs a case again.
    fn rerun(self, backend: Backend, slug: &str, seed: u64) -> String {
        rerun_by_xtask(backend.name(), slug, seed, self == Self::Passing)
    }
}

/// A backend that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Backend {
    /// The in-memory model
    Mock,
    /// SQLite, a file for each case
    Sqlite,
    /// Postgres, a schema for each case
    Postgres,
    /// Valkey, a key prefix for each case
    Valkey,
}

/// Why there is no harness: in one line, and what was tried in a line each.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) reason: String,
    pub(crate) tried: Vec<String>,
}

impl Missing {
    fn because(reason: &str, error: impl fmt::Display) -> Self {
        Self { reason: reason.to_owned(), tried: vec![error.to_string()] }
    }
}

impl From<Absent> for Missing {
    fn from(absent: Absent) -> Self {
        let tried = absent.tried().into_iter().map(str::to_owned).collect();
        Self { reason: absent.to_string(), tried }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        self.tried.iter().try_for_each(|tried| write!(f, "\n  tried: {tried}"))
    }
}

impl Error for Missing {}

impl Backend {
    pub(crate) const ALL: [Self; 4] = [Self::Mock, Self::Sqlite, Self::Postgres, Self::Valkey];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mock => "mock",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Valkey => "valkey",
        }
    }

    /// The backend on this kind of server.
    pub(crate) fn on(kind: Kind) -> Self {
        match kind {
            Kind::Valkey => Self::Valkey,
            Kind::Postgres => Self::Postgres,
        }
    }

    /// The environment variable that names its server.
    pub(crate) fn url_variable(self) -> Option<&'static str> {
        Kind::ALL.into_iter().find(|kind| Self::on(*kind) == self).map(Kind::url_variable)
    }

    /// A harness for it, or why there is none on this machine.
    pub(crate) async fn harness(
        self,
        servers: &Servers,
        time: Time,
    ) -> Result<Arc<dyn Harness>, Missing> {
        match self {
            Self::Mock => Ok(Arc::new(match time {
                Time::Turned => ModelHarness::default(),
                Time::Passing => ModelHarness::on_wall_clock(),
            })),
            Self::Sqlite => match SqliteHarness::new(time) {
                Ok(harness) => Ok(Arc::new(harness)),
                Err(error) => Err(Missing::because("there is no room for database files", error)),
            },
            Self::Valkey => {
                let server = servers.get(Kind::Valkey).await?;
                match ValkeyHarness::new(server, time).await {
                    Ok(harness) => Ok(Arc::new(harness)),
                    Err(error) => Err(Missing::because("the Valkey server cannot be used", error)),
                }
            }
            Self::Postgres => {
                let server = servers.get(Kind::Postgres).await?;
                match PostgresHarness::new(server, time).await {
                    Ok(harness) => Ok(Arc::new(harness)),
                    Err(error) => {
                        Err(Missing::because("the Postgres server cannot be used", error))
                    }
                }
            }
        }
    }
}
