//! SQL that stores in tables share. A kind's table has the columns of its schema, and what is packed
//! of a record in `fixed` and `changing`; an outbox has what is packed in `event`.

use crate::records::{Column, Key, Kind, Packed, Part, Range, Schema, Type};
use crate::store::Inspected;

/// A statement under construction: its arguments so far, by their numbers from 1.
#[derive(Debug, Default)]
pub struct Arguments {
    pub parts: Vec<Part>,
    before: usize,
}

impl Arguments {
    /// Arguments that follow this many others.
    pub fn after(before: usize) -> Self {
        let parts = Vec::new();
        Self { parts, before }
    }

    fn bind(&mut self, part: &Part) -> String {
        self.parts.push(part.clone());
        format!("${}", self.before + self.parts.len())
    }

    /// Where the record with this key is: table and condition.
    pub fn with_key(&mut self, key: &Key) -> String {
        let schema = key.kind.schema();
        let conditions = self.equal(&schema.key, &key.parts);
        format!("FROM {} AS t WHERE {}", schema.table, conditions.join(" AND "))
    }

    /// Where the records of this range are: table, condition, order and limit.
    pub fn in_range(&mut self, range: &Range) -> String {
        let schema = range.kind.schema();
        let mut columns = schema.indexes[range.index].columns.clone();
        if range.index > 0 {
            let key = schema.key.iter();
            columns.extend(
                key.filter(|column| !columns.contains(column)).cloned().collect::<Vec<_>>(),
            );
        }
        let (prefix, rest) = columns.split_at(range.prefix.len());
        let mut conditions = self.equal(prefix, &range.prefix);
        if !range.after.is_empty() {
            let after: Vec<String> = range.after.iter().map(|part| self.bind(part)).collect();
            let (names, after) = (names(&rest[..after.len()]), after.join(", "));
            conditions.push(format!("({names}) > ({after})"));
        }
        if let Some(last) = &range.up_to {
            conditions.push(format!("{} <= {}", rest[0].name, self.bind(last)));
        }
        let needed = schema.conditions(range.index).filter(|column| !prefix.contains(column));
        conditions.extend(needed.map(|column| format!("{} IS NOT NULL", column.name)));
        let mut sql = vec![format!("FROM {} AS t", schema.table)];
        if !conditions.is_empty() {
            sql.push(format!("WHERE {}", conditions.join(" AND ")));
        }
        if !rest.is_empty() {
            sql.push(format!("ORDER BY {}", names(rest)));
        }
        if let Some(limit) = range.limit {
            sql.push(format!("LIMIT {limit}"));
        }
        sql.join(" ")
    }

    fn equal(&mut self, columns: &[Column], parts: &[Part]) -> Vec<String> {
        let pairs = columns.iter().zip(parts);
        pairs.map(|(column, part)| format!("{} = {}", column.name, self.bind(part))).collect()
    }
}

/// The columns that a kind's table or an outbox has to have, with what is packed; the key's first.
pub fn columns(schema: &Schema) -> Vec<(String, &'static str)> {
    let declared = schema.key.iter().chain(&schema.columns);
    let mut columns: Vec<_> = declared
        .map(|column| {
            let kind = match column.kind {
                Type::Integer => "integer",
                Type::Uuid => "uuid",
                Type::Text => "text",
            };
            (column.name.clone(), kind)
        })
        .collect();
    let packed: &[&str] = if schema.key.is_empty() { &["event"] } else { &["fixed", "changing"] };
    columns.extend(packed.iter().map(|name| ((*name).to_owned(), "bytes")));
    columns
}

/// A record as it stands in a row: the values of the key's columns, of the others, and what is packed.
pub fn inspected(kind: Kind, mut values: Vec<Option<Part>>, packed: &Packed) -> Inspected {
    let columns = values.split_off(kind.schema().key.len());
    let record = kind.unpack(packed).ok();
    let is_in_place = record.as_ref().is_some_and(|record| record.columns() == columns);
    let parts = values.into_iter().flatten().collect();
    Inspected { key: Key { kind, parts }, record, is_in_place }
}

/// A statement about the queues of fresh work, for attempts that may go on.
pub fn of_resumable(sql: &str) -> String {
    sql.replace("queue_lane", "resumable_lane")
        .replace("queue_requirements", "resumable_requirements")
}

/// The names of the columns, for a list.
pub fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    names.join(", ")
}

/// The migrations in a directory, which is named as `include_str!` wants it, for the migrator of `sqlx`. Its own
/// macro would have the library with all of its drivers compiled a second time, for the compiler.
#[macro_export]
macro_rules! migrations {
    ($directory:literal) => {{
        use sqlx::SqlSafeStr;
        use sqlx::migrate::{Migration, MigrationType};
        let migration = |(number, name, text): (i64, &'static str, &'static str)| {
            let (kind, text) = (MigrationType::Simple, text.into_sql_str());
            Migration::new(number, name.into(), kind, text, false)
        };
        let texts = [
            (1, "executions", include_str!(concat!($directory, "/0001_executions.sql"))),
            (2, "flows", include_str!(concat!($directory, "/0002_flows.sql"))),
            (3, "layout", include_str!(concat!($directory, "/0003_layout.sql"))),
            (4, "suspension", include_str!(concat!($directory, "/0004_suspension.sql"))),
            (5, "grants", include_str!(concat!($directory, "/0005_grants.sql"))),
            (6, "scheduling", include_str!(concat!($directory, "/0006_scheduling.sql"))),
            (7, "workers", include_str!(concat!($directory, "/0007_workers.sql"))),
            (8, "assignment", include_str!(concat!($directory, "/0008_assignment.sql"))),
            (9, "retention", include_str!(concat!($directory, "/0009_retention.sql"))),
            (10, "metering", include_str!(concat!($directory, "/0010_metering.sql"))),
            (11, "streams", include_str!(concat!($directory, "/0011_streams.sql"))),
            (12, "events", include_str!(concat!($directory, "/0012_events.sql"))),
        ];
        texts.map(migration).to_vec()
    }};
}
