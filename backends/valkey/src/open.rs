//! Connecting to a server.

use std::sync::Arc;
use std::time::Duration;

use ferriskey::{Client, ClientBuilder};
use ff_core::backend::BackendTag;
use ff_core::clock::Clock;
use ff_core::partition::PartitionConfig;
use ff_transactional::{Patch, PatchError, ServerUrl, Settings};

use crate::backend::ValkeyBackend;
use crate::hints::Hints;
use crate::library::Library;
use crate::server::Server;

/// The oldest server that has what the library needs: functions whose flags are checked, and MULTI
/// around reads of functions.
const OLDEST: (u32, u32) = (7, 2);

/// How long a command may take; a slower answer is `Transport`.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a backend cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    #[error("the key prefix {0:?} has a brace, which would change the keys' slots")]
    Prefix(String),
    #[error("the server cannot be reached")]
    Connect(#[source] ferriskey::Error),
    #[error("the server is version {found}, at least {needed} is needed")]
    TooOld { found: String, needed: String },
    #[error(
        "the server may evict keys that have no expiry (maxmemory-policy {0}), and work would be lost; \
         noeviction and the volatile policies evict none"
    )]
    Evicts(String),
    #[error("the library cannot be patched")]
    Patch(#[from] PatchError),
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct ValkeyOptions {
    url: ServerUrl,
    prefix: String,
    clock: Clock,
    settings: Settings,
    patch: Option<Patch>,
}

impl ValkeyOptions {
    /// A server as in `valkey://host:6379`, or `valkeys://` with TLS; `redis` will do as well.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: ServerUrl::new(url),
            prefix: "ff:".to_owned(),
            clock: Clock::Server,
            settings: Settings::new(BackendTag::Valkey, PartitionConfig::default()),
            patch: None,
        }
    }

    /// What every key begins with, without braces; `ff:` by default. Deployments with different
    /// prefixes, none the beginning of another, share a server without seeing each other.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Reads time from this clock instead of the server's.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// 256 partitions of flows and 32 each of budgets and quotas by default. A deployment keeps the
    /// numbers with which it is first used; an instance with others is refused by its first call.
    #[must_use]
    pub fn partitions(mut self, partitions: PartitionConfig) -> Self {
        self.settings.partitions = partitions;
        self
    }

    /// How many reads and tails of streams run at once, 64 by default; one more is refused at once (STR-024).
    #[must_use]
    pub fn stream_reads(mut self, most: u32) -> Self {
        self.settings.stream_reads = most;
        self
    }

    /// Changes one line of the library, for tests of the suite.
    #[doc(hidden)]
    #[must_use]
    pub fn patch(mut self, patch: Patch) -> Self {
        self.patch = Some(patch);
        self
    }

    /// Connects. A server that is too old is refused; the library is loaded by `prepare`, or by the
    /// first call that misses it.
    pub async fn open(self) -> Result<Arc<ValkeyBackend>, OpenError> {
        // The client reads a URL by its older names only.
        let url = match self.url.reveal().strip_prefix("valkey") {
            Some(rest) => format!("redis{rest}"),
            None => self.url.reveal().to_owned(),
        };
        let client = ClientBuilder::new()
            .url(&url)
            .map_err(OpenError::Connect)?
            .request_timeout(PATIENCE)
            .build()
            .await
            .map_err(OpenError::Connect)?;
        let info: String = client
            .cmd("INFO")
            .arg("server")
            .arg("memory")
            .execute()
            .await
            .map_err(OpenError::Connect)?;
        check_version(&info)?;
        check_eviction(&info)?;
        self.with(client, Hints::from(Some(url)))
    }

    /// A backend over a connection to a server that is known to do.
    #[doc(hidden)]
    pub fn over(self, client: Client) -> Result<Arc<ValkeyBackend>, OpenError> {
        self.with(client, Hints::from(None))
    }

    fn with(self, client: Client, hints: Hints) -> Result<Arc<ValkeyBackend>, OpenError> {
        if self.prefix.contains(['{', '}']) {
            return Err(OpenError::Prefix(self.prefix));
        }
        let library = Library::new(self.patch.as_ref())?;
        let server = Server::new(client, library, self.prefix, self.clock);
        Ok(Arc::new(ValkeyBackend::over(server, self.settings, hints)))
    }
}

fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// No key has an expiry, so the policies that evict keys with one evict none.
fn check_eviction(info: &str) -> Result<(), OpenError> {
    match field(info, "maxmemory_policy") {
        Some(policy) if policy.starts_with("allkeys") => Err(OpenError::Evicts(policy.to_owned())),
        _ => Ok(()),
    }
}

/// Valkey tells for compatibility which Redis it began as; both count by the same versions here.
fn check_version(info: &str) -> Result<(), OpenError> {
    let versions = ["valkey_version", "redis_version"].map(|name| field(info, name));
    let (family, version) = match (versions[0], versions[1]) {
        (Some(version), _) => ("Valkey", version),
        (None, Some(version)) => ("Redis", version),
        (None, None) => ("unknown", "unknown"),
    };
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= OLDEST {
        return Ok(());
    }
    Err(OpenError::TooOld {
        found: format!("{family} {version}"),
        needed: format!("{}.{}", OLDEST.0, OLDEST.1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_lose_keys_are_refused() {
        let of =
            |policy: &str| check_eviction(&format!("# Memory\r\nmaxmemory_policy:{policy}\r\n"));
        assert!(
            matches!(of("allkeys-lru"), Err(OpenError::Evicts(policy)) if policy == "allkeys-lru")
        );
        for policy in ["noeviction", "volatile-ttl"] {
            assert!(of(policy).is_ok(), "{policy}");
        }
    }

    #[test]
    fn old_servers_are_refused_by_name() {
        let refused = |info: &str| check_version(info).map_err(|error| error.to_string());
        assert_eq!(
            refused("# Server\r\nredis_version:7.0.15\r\nos:Linux\r\n"),
            Err("the server is version Redis 7.0.15, at least 7.2 is needed".to_owned())
        );
        assert_eq!(
            refused("redis_version:6.2.4\r\nvalkey_version:7.1.0\r\n"),
            Err("the server is version Valkey 7.1.0, at least 7.2 is needed".to_owned())
        );
        assert!(refused("").is_err());
        assert!(refused("redis_version:7.2.4\r\nvalkey_version:8.1.1\r\n").is_ok());
        assert!(refused("redis_version:7.2.0\r\n").is_ok());
        assert!(refused("valkey_version:10.0.0\r\n").is_ok());
    }
}
