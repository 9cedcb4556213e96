//! Damages the records and indexes of each storage, past the backend.

use async_trait::async_trait;
use ferriskey::Client;
use ff_conformance::{HarnessError, Vandal};
use ff_core::types::ExecutionId;
use ff_provision::keys;
use ff_transactional::records::Kind;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

/// An empty record.
const DAMAGE: &str = "UPDATE ff_exec_core SET fixed = $2 WHERE execution_id = $1";

/// What indexes go by is in the columns.
fn exchange() -> AssertSqlSafe<String> {
    let columns = Kind::Execution.schema().columns.iter();
    let set: Vec<String> = columns.map(|column| format!("{0} = s.{0}", column.name)).collect();
    AssertSqlSafe(format!(
        "UPDATE ff_exec_core AS t SET {} FROM ff_exec_core AS s \
         WHERE (t.execution_id = $1 AND s.execution_id = $2) OR (t.execution_id = $2 AND s.execution_id = $1)",
        set.join(", ")
    ))
}

pub(super) struct InSqlite(pub(super) SqlitePool);

#[async_trait]
impl Vandal for InSqlite {
    async fn damage(&self, execution: &ExecutionId) -> Result<(), HarnessError> {
        let id = execution.uuid().into_bytes().to_vec();
        sqlx::query(DAMAGE).bind(id).bind(Vec::new()).execute(&self.0).await?;
        Ok(())
    }

    async fn exchange(&self, one: &ExecutionId, other: &ExecutionId) -> Result<bool, HarnessError> {
        let [one, other] = [one, other].map(|id| id.uuid().into_bytes().to_vec());
        sqlx::query(exchange()).bind(one).bind(other).execute(&self.0).await?;
        Ok(true)
    }
}

pub(super) struct InPostgres(pub(super) PgPool);

#[async_trait]
impl Vandal for InPostgres {
    async fn damage(&self, execution: &ExecutionId) -> Result<(), HarnessError> {
        sqlx::query(DAMAGE).bind(execution.uuid()).bind(Vec::<u8>::new()).execute(&self.0).await?;
        Ok(())
    }

    async fn exchange(&self, one: &ExecutionId, other: &ExecutionId) -> Result<bool, HarnessError> {
        sqlx::query(exchange()).bind(one.uuid()).bind(other.uuid()).execute(&self.0).await?;
        Ok(true)
    }
}

pub(super) struct InValkey {
    pub(super) client: Client,
    pub(super) prefix: String,
}

#[async_trait]
impl Vandal for InValkey {
    async fn damage(&self, execution: &ExecutionId) -> Result<(), HarnessError> {
        let (prefix, partition) = (&self.prefix, execution.partition());
        let id = execution.to_string();
        let key = format!("{prefix}{{fp:{partition}}}:execution:{}:{id}", id.len());
        self.client.set(key, "").await?;
        Ok(())
    }

    async fn exchange(&self, one: &ExecutionId, other: &ExecutionId) -> Result<bool, HarnessError> {
        let tag = format!("{}{{fp:{}}}", self.prefix, one.partition());
        let (one, other) = (one.to_string(), other.to_string());
        for name in ["execution.[^K]*", "queue:*", "resumable:*", "routed:*"] {
            for set in keys(&self.client, &format!("{tag}:{name}")).await? {
                let entries = self.client.cmd("ZRANGE").arg(&set).arg(0).arg(-1).arg("WITHSCORES");
                let entries: Vec<(String, f64)> = entries.execute().await?;
                // All go before any comes: where both stand in a set, one takes the other's place.
                for (member, _) in &entries {
                    if member.ends_with(&one) || member.ends_with(&other) {
                        let _: u64 =
                            self.client.cmd("ZREM").arg(&set).arg(member).execute().await?;
                    }
                }
                for (member, score) in &entries {
                    let taken = match (member.strip_suffix(&*one), member.strip_suffix(&*other)) {
                        (Some(place), _) => format!("{place}{other}"),
                        (_, Some(place)) => format!("{place}{one}"),
                        _ => continue,
                    };
                    let add = self.client.cmd("ZADD").arg(&set).arg(*score).arg(taken);
                    let _: u64 = add.execute().await?;
                }
            }
        }
        Ok(true)
    }
}
