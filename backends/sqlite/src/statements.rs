//! The statements for records of any kind.

use std::sync::LazyLock;

use ff_transactional::records::{Event, Key, Kind, Packed, Part, Record, Schema};
use ff_transactional::sql::{Arguments, names};
use ff_transactional::{Before, Query, StoreError, Write};
use sqlx::query::Query as SqlQuery;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, SqlSafeStr, SqlStr, Sqlite};

pub(crate) type Statement = SqlQuery<'static, Sqlite, SqliteArguments>;

/// Of names from the declaration and numbers; everything else is bound.
fn text(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}

/// The statements that write records of a kind, made once.
struct Writes {
    update: SqlStr,
    upsert: SqlStr,
}

impl Writes {
    fn of(kind: Kind) -> &'static Self {
        static ALL: LazyLock<Vec<Writes>> = LazyLock::new(|| {
            let schemas = Kind::ALL.iter().map(|kind| kind.schema());
            let writes = schemas.map(|schema| Writes {
                update: text(update(schema)),
                upsert: text(upsert(schema)),
            });
            writes.collect()
        });
        &ALL[kind as usize]
    }
}

fn bind(statement: Statement, part: Option<Part>) -> Statement {
    match part {
        Some(Part::Integer(number)) => statement.bind(number),
        Some(Part::Uuid(uuid)) => statement.bind(uuid),
        Some(Part::Text(text)) => statement.bind(text),
        None => statement.bind(None::<i64>),
    }
}

fn bind_all(statement: Statement, parts: impl IntoIterator<Item = Option<Part>>) -> Statement {
    parts.into_iter().fold(statement, bind)
}

/// Rows for [`decode`].
pub(crate) fn select(asked: &Query) -> (Kind, Statement) {
    let mut arguments = Arguments::default();
    let (kind, place) = match asked {
        Query::Key(key) => (key.kind, arguments.with_key(key)),
        Query::Range(range) => (range.kind, arguments.in_range(range)),
    };
    let select = sqlx::query(text(format!("SELECT fixed, changing {place}")));
    (
        kind,
        bind_all(select, arguments.parts.into_iter().map(Some)),
    )
}

pub(crate) fn decode(kind: Kind, row: &SqliteRow) -> Result<Record, StoreError> {
    let (fixed, changing) = (get(row, "fixed")?, get(row, "changing")?);
    kind.unpack(&Packed { fixed, changing })
}

/// Stores a record, replaces it or removes it.
pub(crate) fn write(key: &Key, write: &Write) -> Statement {
    let schema = key.kind.schema();
    let key_parts = key.parts.iter().cloned().map(Some);
    let Some(after) = &write.after else {
        let mut arguments = Arguments::default();
        let delete = format!("DELETE {}", arguments.with_key(key));
        let delete = sqlx::query(text(delete));
        return bind_all(delete, arguments.parts.into_iter().map(Some));
    };
    let (packed, writes) = (after.pack(), Writes::of(key.kind));
    match &write.before {
        // What is the same in all versions stays where it is.
        Before::Present(_) if !schema.is_fixed() => {
            let update = bind_all(sqlx::query(writes.update.clone()), after.columns());
            bind_all(update.bind(packed.changing), key_parts)
        }
        _ => {
            let insert = bind_all(sqlx::query(writes.upsert.clone()), key_parts);
            let insert = bind_all(insert, after.columns());
            insert.bind(packed.fixed).bind(packed.changing)
        }
    }
}

fn update(schema: &Schema) -> String {
    let mut set: Vec<String> = Vec::new();
    set.extend(
        schema
            .columns
            .iter()
            .map(|column| format!("{} = ?", column.name)),
    );
    set.push("changing = ?".to_owned());
    let key: Vec<String> = schema
        .key
        .iter()
        .map(|column| format!("{} = ?", column.name))
        .collect();
    format!(
        "UPDATE {} SET {} WHERE {}",
        schema.table,
        set.join(", "),
        key.join(" AND ")
    )
}

fn upsert(schema: &Schema) -> String {
    let columns = [&*schema.key, &*schema.columns].concat();
    let changing = schema
        .columns
        .iter()
        .map(|column| &*column.name)
        .chain(["changing"]);
    let set: Vec<String> = changing
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    format!(
        "INSERT INTO {} ({}, fixed, changing) VALUES ({}, ?, ?) ON CONFLICT DO UPDATE SET {}",
        schema.table,
        names(&columns),
        vec!["?"; columns.len()].join(", "),
        set.join(", ")
    )
}

/// Adds to an outbox.
pub(crate) fn append(event: &Event) -> Statement {
    let schema = event.outbox().schema();
    let insert = format!(
        "INSERT INTO {} ({}, event) VALUES ({}, ?)",
        schema.table,
        names(&schema.columns),
        vec!["?"; schema.columns.len()].join(", ")
    );
    bind_all(sqlx::query(text(insert)), event.columns()).bind(event.pack())
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
