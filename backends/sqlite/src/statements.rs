//! The statements for records of any kind, put together to what goes to the database at once.

use std::fmt::Write as _;

use ff_core::types::LaneId;
use ff_transactional::records::{Event, Key, Kind, Packed, Part};
use ff_transactional::sql::{Arguments, names};
use ff_transactional::{Before, Changes, Query, StoreError, Write};
use sqlx::query::Query as SqlQuery;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, SqlSafeStr, Sqlite};

pub(crate) type Statement = SqlQuery<'static, Sqlite, SqliteArguments>;

/// The host's time, as the database tells it.
pub(crate) const CLOCK: &str =
    "SELECT -1 AS place, CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now";

/// Statements that run one after the other. Their text is of names from the declaration and numbers;
/// everything else is bound.
#[derive(Default)]
pub(crate) struct Script {
    statements: Vec<String>,
    bound: Vec<Value>,
}

enum Value {
    Part(Option<Part>),
    Bytes(Vec<u8>),
}

impl Script {
    pub(crate) fn then(&mut self, statement: &str) {
        self.statements.push(statement.to_owned());
    }

    /// All of it before what there is.
    pub(crate) fn first(&mut self, statement: &str) {
        self.statements.insert(0, statement.to_owned());
    }

    pub(crate) fn fill(self) -> Statement {
        let sql = AssertSqlSafe(self.statements.join("; ")).into_sql_str();
        self.bound
            .into_iter()
            .fold(sqlx::query(sql), |statement, value| match value {
                Value::Part(Some(Part::Integer(number))) => statement.bind(number),
                Value::Part(Some(Part::Uuid(uuid))) => statement.bind(uuid),
                Value::Part(Some(Part::Text(text))) => statement.bind(text),
                Value::Part(None) => statement.bind(None::<i64>),
                Value::Bytes(bytes) => statement.bind(bytes),
            })
    }

    /// Finds what is asked for; rows are for [`Found::of`].
    pub(crate) fn read(queries: &[Query]) -> Self {
        let mut script = Self::default();
        for (place, query) in queries.iter().enumerate() {
            let mut arguments = Arguments::after(script.bound.len());
            let rows = match query {
                Query::Key(key) => arguments.with_key(key),
                Query::Range(range) => arguments.in_range(range),
            };
            script.then(&format!("SELECT {place} AS place, fixed, changing {rows}"));
            let parts = arguments.parts.into_iter();
            script
                .bound
                .extend(parts.map(|part| Value::Part(Some(part))));
        }
        script
    }

    /// Finds the first of each requirement set of a lane, in no order.
    pub(crate) fn heads(lane: &LaneId) -> Self {
        let lane = Value::Part(Some(Part::Text(lane.0.clone())));
        Self {
            statements: vec![include_str!("../sql/heads.sql").to_owned()],
            bound: vec![lane],
        }
    }

    /// Writes all changes. There is a row for each event, with its number in its outbox.
    pub(crate) fn write(changes: &Changes) -> Self {
        let mut script = Self::default();
        for (key, write) in &changes.records {
            script.write_one(key, write);
        }
        for event in &changes.events {
            script.append(event);
        }
        script
    }

    /// Stores a record, replaces it or removes it.
    fn write_one(&mut self, key: &Key, write: &Write) {
        let schema = key.kind.schema();
        let (table, key_names) = (schema.table, names(&schema.key));
        let columns = &schema.columns;
        let mut same_key = String::new();
        for column in &schema.key {
            let and = if same_key.is_empty() { "" } else { " AND " };
            let _ = write!(same_key, "{and}{} = ?", column.name);
        }
        let key_parts = key
            .parts
            .iter()
            .cloned()
            .map(|part| Value::Part(Some(part)));
        let Some(after) = &write.after else {
            self.then(&format!("DELETE FROM {table} WHERE {same_key}"));
            self.bound.extend(key_parts);
            return;
        };
        let packed = after.pack();
        let values = after.columns().into_iter().map(Value::Part);
        let changing = columns
            .iter()
            .map(|column| &*column.name)
            .chain(["changing"]);
        match &write.before {
            // What is the same in all versions stays where it is.
            Before::Present(_) if !schema.is_fixed() => {
                let set: Vec<String> = changing.map(|name| format!("{name} = ?")).collect();
                let set = set.join(", ");
                self.then(&format!("UPDATE {table} SET {set} WHERE {same_key}"));
                self.bound.extend(values);
                self.bound.push(Value::Bytes(packed.changing));
                self.bound.extend(key_parts);
            }
            _ => {
                let set: Vec<String> = changing
                    .map(|name| format!("{name} = excluded.{name}"))
                    .collect();
                let all = names(&[&*schema.key, &**columns].concat());
                let places = vec!["?"; schema.key.len() + columns.len()].join(", ");
                self.then(&format!(
                    "INSERT INTO {table} ({all}, fixed, changing) VALUES ({places}, ?, ?) \
                     ON CONFLICT ({key_names}) DO UPDATE SET {}",
                    set.join(", ")
                ));
                self.bound.extend(key_parts);
                self.bound.extend(values);
                self.bound.push(Value::Bytes(packed.fixed));
                self.bound.push(Value::Bytes(packed.changing));
            }
        }
    }

    /// Adds to an outbox.
    fn append(&mut self, event: &Event) {
        let schema = event.outbox().schema();
        self.then(&format!(
            "INSERT INTO {} ({}, event) VALUES ({}, ?) RETURNING event_id",
            schema.table,
            names(&schema.columns),
            vec!["?"; schema.columns.len()].join(", ")
        ));
        self.bound
            .extend(event.columns().into_iter().map(Value::Part));
        self.bound.push(Value::Bytes(event.pack()));
    }
}

/// What a row of a script that reads says.
pub(crate) enum Found {
    /// A record that was found for the query at this place.
    Record(usize, Packed),
    /// The clock.
    Now(i64),
}

impl Found {
    pub(crate) fn of(row: &SqliteRow) -> Result<Self, StoreError> {
        match usize::try_from(get::<i64>(row, "place")?) {
            Ok(place) => {
                let (fixed, changing) = (get(row, "fixed")?, get(row, "changing")?);
                Ok(Self::Record(place, Packed { fixed, changing }))
            }
            Err(_) => Ok(Self::Now(get(row, "now")?)),
        }
    }
}

/// The kind of what a query finds.
pub(crate) fn kind_of(query: &Query) -> Kind {
    match query {
        Query::Key(key) => key.kind,
        Query::Range(range) => range.kind,
    }
}

pub(crate) fn get<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(name).map_err(|error| StoreError::Corrupt {
        record: "row",
        detail: format!("{name}: {error}"),
    })
}
