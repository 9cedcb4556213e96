//! Room on a server that nobody else uses, and that is empty again afterwards.

use std::error::Error;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ferriskey::Client;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use crate::probe::connect;
use crate::{Absent, Kind, Server, Servers};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A schema of a Postgres, or a key prefix of a Valkey.
pub struct Scratch {
    servers: Servers,
    pub server: Arc<Server>,
    /// The schema, or the prefix.
    pub name: String,
}

impl Scratch {
    /// # Errors
    ///
    /// There is no such server, and what would help.
    pub async fn on(kind: Kind) -> std::result::Result<Self, Absent> {
        let servers = Servers::default();
        let server = servers.get(kind).await?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let unique = format!("{}_{}", std::process::id(), since.unwrap_or_default().as_nanos());
        let name = match kind {
            Kind::Valkey => format!("ff-test:{unique}:"),
            Kind::Postgres => format!("ff_test_{unique}"),
        };
        Ok(Self { servers, server, name })
    }

    /// Removes what is there, and the server if this started it.
    pub async fn leave(self) -> Result<()> {
        match self.server.kind {
            Kind::Valkey => {
                let client = connect(&self.server.url).await?;
                remove_keys(&client, &format!("{}*", self.name)).await?;
            }
            Kind::Postgres => {
                let mut connection = self.server.url.parse::<PgConnectOptions>()?.connect().await?;
                let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
                connection.execute(AssertSqlSafe(drop)).await?;
            }
        }
        self.servers.down().await;
        Ok(())
    }
}

/// The keys of a Valkey that match a pattern.
pub async fn keys(client: &Client, pattern: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let scan = client.cmd("SCAN").arg(&cursor);
        let scan = scan.arg("MATCH").arg(pattern).arg("COUNT").arg(1_000);
        let (next, some): (String, Vec<String>) = scan.execute().await?;
        found.extend(some);
        if next == "0" {
            return Ok(found);
        }
        cursor = next;
    }
}

/// Removes the keys that match a pattern.
pub async fn remove_keys(client: &Client, pattern: &str) -> Result<()> {
    for some in keys(client, pattern).await?.chunks(1_000) {
        client.del(some).await?;
    }
    Ok(())
}
