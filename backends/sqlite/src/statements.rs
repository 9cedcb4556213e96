//! The statements for records of any kind. Their text is of names from the declaration and numbers;
//! everything else is bound.

use ff_core::types::LaneId;
use ff_transactional::records::{
    Column, Event, Key, Kind, Outbox, Packed, Part, Range, Record, Type,
};
use ff_transactional::sql::{Arguments, inspected, names, of_resumable};
use ff_transactional::{Before, Inspected, Query, Queues, StoreError, Write};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Params, Row, params_from_iter};
use uuid::Uuid;

use crate::connections::failed;

type Result<T> = std::result::Result<T, StoreError>;

fn bound(part: Option<&Part>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match part {
        Some(Part::Integer(number)) => ValueRef::Integer(*number),
        Some(Part::Uuid(uuid)) => ValueRef::Blob(uuid.as_bytes()),
        Some(Part::Text(text)) => ValueRef::Text(text.as_bytes()),
        None => ValueRef::Null,
    })
}

fn bytes(bytes: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Blob(bytes))
}

/// Finds what is asked for.
pub(crate) fn find(connection: &Connection, query: &Query) -> Result<Vec<Record>> {
    let mut arguments = Arguments::default();
    let (kind, rows) = match query {
        Query::Key(key) => (key.kind, arguments.with_key(key)),
        Query::Range(range) => (range.kind, arguments.in_range(range)),
    };
    let parts = arguments.parts.iter().map(|part| bound(Some(part)));
    let sql = format!("SELECT fixed, changing {rows}");
    records(connection, kind, &sql, params_from_iter(parts))
}

/// Counts what is in a range.
pub(crate) fn count(connection: &Connection, range: &Range) -> Result<usize> {
    let mut arguments = Arguments::default();
    let sql = format!("SELECT count(*) FROM (SELECT 1 {})", arguments.in_range(range));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let parts = arguments.parts.iter().map(|part| bound(Some(part)));
    let count = statement.query_row(params_from_iter(parts), |row| row.get::<_, u32>(0));
    count.map(|count| count as usize).map_err(failed)
}

/// What is in a range, as it stands there.
pub(crate) fn inspect(connection: &Connection, range: &Range) -> Result<Vec<Inspected>> {
    let schema = range.kind.schema();
    let columns = [&*schema.key, &*schema.columns].concat();
    let mut arguments = Arguments::default();
    let rows = arguments.in_range(range);
    let sql = format!("SELECT fixed, changing, {} {rows}", names(&columns));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let parts = arguments.parts.iter().map(|part| bound(Some(part)));
    let mut rows = statement.query(params_from_iter(parts)).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let packed = Packed { fixed: blob(row, 0)?, changing: blob(row, 1)? };
        let values = columns.iter().zip(2..).map(|(column, place)| part(row, place, column));
        found.push(inspected(range.kind, values.collect::<Result<_>>()?, &packed));
    }
    Ok(found)
}

/// The value in a column, if there is one.
fn part(row: &Row<'_>, place: usize, column: &Column) -> Result<Option<Part>> {
    let part = match column.kind {
        Type::Integer => row.get::<_, Option<i64>>(place).map(|it| it.map(Part::Integer)),
        Type::Uuid => row
            .get::<_, Option<[u8; 16]>>(place)
            .map(|it| it.map(|it| Part::Uuid(Uuid::from_bytes(it)))),
        Type::Text => row.get::<_, Option<String>>(place).map(|it| it.map(Part::Text)),
    };
    part.map_err(failed)
}

/// The first of each requirement set of a lane, in no order.
pub(crate) fn heads(connection: &Connection, queues: Queues, lane: &LaneId) -> Result<Vec<Record>> {
    let sql = include_str!("../sql/heads.sql");
    let mut heads = records(connection, Kind::Execution, sql, [&lane.0])?;
    if queues == Queues::All {
        let sql = of_resumable(sql);
        heads.extend(records(connection, Kind::Execution, &sql, [&lane.0])?);
    }
    Ok(heads)
}

fn records(
    connection: &Connection,
    kind: Kind,
    sql: &str,
    arguments: impl Params,
) -> Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(arguments).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let (fixed, changing) = (blob(row, 0)?, blob(row, 1)?);
        found.push(kind.unpack(&Packed { fixed, changing })?);
    }
    Ok(found)
}

fn blob(row: &Row<'_>, place: usize) -> Result<Vec<u8>> {
    let value = row.get_ref(place).map_err(failed)?;
    let blob = value
        .as_blob()
        .map_err(|error| StoreError::Corrupt { record: "row", detail: error.to_string() })?;
    Ok(blob.to_vec())
}

/// Stores a record, replaces it or removes it.
pub(crate) fn write(connection: &Connection, key: &Key, write: &Write) -> Result<()> {
    let schema = key.kind.schema();
    let (table, columns) = (schema.table, &schema.columns);
    let key_parts = key.parts.iter().map(|part| bound(Some(part)));
    let same_key: Vec<String> = schema.key.iter().map(|it| format!("{} = ?", it.name)).collect();
    let same_key = same_key.join(" AND ");
    let Some(after) = &write.after else {
        let sql = format!("DELETE FROM {table} WHERE {same_key}");
        return execute(connection, &sql, key_parts);
    };
    let (packed, values) = (after.pack(), after.columns());
    let values = values.iter().map(|part| bound(part.as_ref()));
    let changing = columns.iter().map(|it| &*it.name).chain(["changing"]);
    match &write.before {
        // What is the same in all versions stays where it is.
        Before::Present(_) if !schema.is_fixed() => {
            let set: Vec<String> = changing.map(|name| format!("{name} = ?")).collect();
            let sql = format!("UPDATE {table} SET {} WHERE {same_key}", set.join(", "));
            let arguments = values.chain([bytes(&packed.changing)]).chain(key_parts);
            execute(connection, &sql, arguments)
        }
        _ => {
            let set: Vec<String> =
                changing.map(|name| format!("{name} = excluded.{name}")).collect();
            let conflict = if schema.is_fixed() {
                "NOTHING".to_owned()
            } else {
                format!("UPDATE SET {}", set.join(", "))
            };
            let sql = format!(
                "INSERT INTO {table} ({}, fixed, changing) VALUES ({}, ?, ?) \
                 ON CONFLICT ({}) DO {conflict}",
                names(&[&*schema.key, &**columns].concat()),
                vec!["?"; schema.key.len() + columns.len()].join(", "),
                names(&schema.key),
            );
            let packed = [bytes(&packed.fixed), bytes(&packed.changing)];
            execute(connection, &sql, key_parts.chain(values).chain(packed))
        }
    }
}

/// The number of the last event in an outbox.
pub(crate) fn last_event(connection: &Connection, outbox: Outbox) -> Result<i64> {
    let sql = format!("SELECT coalesce(max(event_id), 0) FROM {}", outbox.schema().table);
    connection.query_row(&sql, [], |row| row.get(0)).map_err(failed)
}

/// The events of an outbox behind this number, at most so many, with their numbers.
pub(crate) fn events(
    connection: &Connection,
    outbox: Outbox,
    behind: i64,
    limit: usize,
) -> Result<Vec<(i64, Vec<u8>)>> {
    let table = outbox.schema().table;
    let sql = format!(
        "SELECT event_id, event FROM {table} WHERE event_id > ? ORDER BY event_id LIMIT {limit}"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([behind], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.and_then(Iterator::collect).map_err(failed)
}

/// Adds to an outbox.
pub(crate) fn append(connection: &Connection, event: &Event) -> Result<()> {
    let schema = event.outbox().schema();
    let sql = format!(
        "INSERT INTO {} ({}, event) VALUES ({}, ?)",
        schema.table,
        names(&schema.columns),
        vec!["?"; schema.columns.len()].join(", ")
    );
    let (values, packed) = (event.columns(), event.pack());
    let values = values.iter().map(|part| bound(part.as_ref()));
    execute(connection, &sql, values.chain([bytes(&packed)]))
}

fn execute<'a>(
    connection: &Connection,
    sql: &str,
    arguments: impl Iterator<Item = ToSqlOutput<'a>>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let done = statement.execute(params_from_iter(arguments));
    done.map(drop).map_err(failed)
}
