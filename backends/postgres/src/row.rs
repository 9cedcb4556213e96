//! What is in a row.

use ff_transactional::StoreError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row};

type Result<T> = std::result::Result<T, StoreError>;

pub(crate) fn get<'r, T>(row: &'r PgRow, name: &str) -> Result<T>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    row.try_get(name).map_err(|error| StoreError::Corrupt {
        record: "row",
        detail: format!("{name}: {error}"),
    })
}

/// The records in rows of `record`.
pub(crate) fn records<T: DeserializeOwned>(record: &'static str, rows: &[PgRow]) -> Result<Vec<T>> {
    rows.iter()
        .map(|row| decode(record, get(row, "record")?))
        .collect()
}

/// Whatever does not decode is corruption, never a default.
pub(crate) fn decode<T: DeserializeOwned>(record: &'static str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| StoreError::Corrupt {
        record,
        detail: error.to_string(),
    })
}
