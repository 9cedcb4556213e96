//! Asking a server who it is.

use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::Kind;

/// How long a server may take from its start to its first answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one attempt to reach it may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// The version of a server that has just been started, once it answers.
pub(crate) async fn answering(kind: Kind, url: &str) -> Result<String, String> {
    let begun = Instant::now();
    loop {
        match version(kind, url).await {
            Ok(version) => return Ok(version),
            Err(error) if begun.elapsed() > PATIENCE => {
                return Err(format!("no answer within {PATIENCE:?}: {error}"));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// The version of a server that should be there.
pub(crate) async fn version(kind: Kind, url: &str) -> Result<String, String> {
    let asked = async {
        match kind {
            Kind::Valkey => valkey(url).await,
            Kind::Postgres => postgres(url).await,
        }
    };
    match tokio::time::timeout(ATTEMPT, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {ATTEMPT:?}")),
    }
}

/// A connection to a Valkey.
pub async fn connect(url: &str) -> Result<ferriskey::Client, ferriskey::Error> {
    // The client reads a URL by its older names only.
    let url = match url.strip_prefix("valkey") {
        Some(rest) => format!("redis{rest}"),
        None => url.to_owned(),
    };
    ferriskey::connect(&url).await
}

async fn valkey(url: &str) -> Result<String, String> {
    let text = |error: ferriskey::Error| error.to_string();
    let client = connect(url).await.map_err(text)?;
    let info = client.cmd("INFO").arg("server");
    let info: String = info.execute().await.map_err(text)?;
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim().to_owned())
    };
    match (field("valkey_version"), field("redis_version")) {
        (Some(version), _) => Ok(format!("Valkey {version}")),
        (None, Some(version)) => Ok(format!("Redis {version}")),
        (None, None) => Err("the server tells no version".to_owned()),
    }
}

async fn postgres(url: &str) -> Result<String, String> {
    let text = |error: sqlx::Error| error.to_string();
    let options: PgConnectOptions = url.parse().map_err(text)?;
    let mut connection = options.connect().await.map_err(text)?;
    let version: String =
        sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await.map_err(text)?;
    Ok(format!("Postgres {version}"))
}
