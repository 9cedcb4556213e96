//! The SQL: that of claims in files, that for records of any kind made here.

use std::collections::{BTreeMap, BTreeSet};

use ff_core::types::LaneId;
use ff_transactional::records::{
    Column, Event, Key, Kind, Outbox, Packed, Part, Range, Record, Schema, Type,
};
use ff_transactional::sql::{Arguments, inspected, names, of_resumable};
use ff_transactional::{Before, Changes, Inspected, Patch, PatchError, Query, StoreError, Write};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query as SqlQuery;
use sqlx::{AssertSqlSafe, Postgres, Row, SqlSafeStr, SqlStr};
use uuid::Uuid;

use crate::hints::{channel_of, flag_of};

pub(crate) type Statement = SqlQuery<'static, Postgres, PgArguments>;

/// The statements of claims, and a line that is to be another in these or in those made here.
pub(crate) struct Statements {
    pub(crate) clock: SqlStr,
    pub(crate) first_claimable: SqlStr,
    pub(crate) first_resumable: SqlStr,
    patch: Option<Patch>,
}

impl Statements {
    pub(crate) fn load(patch: Option<&Patch>) -> Result<Self, PatchError> {
        let load = |file: &str, text: &'static str| match patch {
            Some(patch) => patch.apply(file, text).map(safe),
            None => Ok(text.into_sql_str()),
        };
        let first_claimable =
            load("first_claimable.sql", include_str!("../sql/first_claimable.sql"))?;
        Ok(Self {
            clock: load("clock.sql", include_str!("../sql/clock.sql"))?,
            first_resumable: safe(of_resumable(first_claimable.as_str())),
            first_claimable,
            patch: patch.copied(),
        })
    }

    /// Finds what is asked for; rows are for [`Found::of`].
    pub(crate) fn read(&self, queries: &[Query], lock: Lock) -> Statement {
        let mut read = Reading::default();
        let mut place = 0;
        while place < queries.len() {
            let alike =
                queries[place..].iter().take_while(|query| is_key_of(query, &queries[place]));
            let count = alike.count().max(1);
            read.branch(&queries[place..place + count], place, lock);
            place += count;
        }
        // Branches are run in order, so that the clock is read after all locks have been granted.
        let clock = "SELECT -1, NULL, NULL, NULL, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        read.branches.push(clock.to_owned());
        let name = match lock {
            Lock::None => "read",
            Lock::ForUpdate | Lock::Later => "lock",
        };
        let statement = self.made(name, read.branches.join(" UNION ALL "));
        read.bound.fill(statement)
    }

    /// Counts what is in a range.
    pub(crate) fn count(&self, range: &Range) -> Statement {
        let mut arguments = Arguments::default();
        let rows = arguments.in_range(range);
        let bound = Bound(arguments.parts.into_iter().map(Values::One).collect());
        bound.fill(self.made("count", format!("SELECT count(*) FROM (SELECT {rows}) counted")))
    }

    /// What is in a range, as it stands there; rows are for [`as_it_stands`].
    pub(crate) fn inspect(&self, range: &Range) -> Statement {
        let schema = range.kind.schema();
        let columns = names(&[&*schema.key, &*schema.columns].concat());
        let mut arguments = Arguments::default();
        let rows = arguments.in_range(range);
        let bound = Bound(arguments.parts.into_iter().map(Values::One).collect());
        bound.fill(self.made("inspect", format!("SELECT fixed, changing, {columns} {rows}")))
    }

    /// Writes all changes, if every record that was read in some version is still in it; else it fails.
    /// Where claims wait for what can be claimed by it, they are told.
    pub(crate) fn write(&self, schema: &str, changes: &Changes, locked: &Locked) -> Statement {
        let mut writing = Writing::default();
        writing.records(changes, locked);
        writing.events(changes);
        writing.announce(schema, changes);
        let mut ending = "SELECT 1".to_owned();
        if !writing.expected.is_empty() {
            // A part that nobody reads from would come last; so these lock in the order of kinds.
            let expected = writing.expected.join(" AND ");
            ending = format!("SELECT 1 / CASE WHEN {expected} THEN 1 ELSE 0 END");
        }
        let sql = format!("WITH {} {ending}", writing.steps.join(", "));
        writing.bound.fill(self.made("write", sql))
    }

    /// A statement of names from the declaration and numbers; everything else is bound.
    fn made(&self, name: &str, sql: String) -> Statement {
        sqlx::query(safe(match &self.patch {
            Some(patch) if patch.file == name => sql.replace(patch.what, patch.instead),
            _ => sql,
        }))
    }
}

fn safe(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}

/// What a transaction has locked; a version where it has only read it, to lock it when it writes.
pub(crate) type Locked = BTreeMap<Key, Option<i64>>;

/// Whether records stay as they are until the end of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    None,
    /// When it is written: for now, its version is read.
    Later,
    ForUpdate,
}

fn is_key_of(query: &Query, first: &Query) -> bool {
    match (query, first) {
        (Query::Key(key), Query::Key(first)) => key.kind == first.kind,
        _ => false,
    }
}

/// What a statement takes as one argument.
enum Values {
    One(Part),
    Integers(Vec<Option<i64>>),
    Uuids(Vec<Option<Uuid>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Vec<u8>>),
}

impl Values {
    /// The values of a column.
    fn of(column: &Column, parts: impl Iterator<Item = Option<Part>>) -> Self {
        let integer = |part| match part {
            Some(Part::Integer(number)) => Some(number),
            _ => None,
        };
        let uuid = |part| match part {
            Some(Part::Uuid(uuid)) => Some(uuid),
            _ => None,
        };
        let text = |part| match part {
            Some(Part::Text(text)) => Some(text),
            _ => None,
        };
        match column.kind {
            Type::Integer => Self::Integers(parts.map(integer).collect()),
            Type::Uuid => Self::Uuids(parts.map(uuid).collect()),
            Type::Text => Self::Texts(parts.map(text).collect()),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::One(Part::Integer(_)) => "bigint",
            Self::One(Part::Uuid(_)) => "uuid",
            Self::One(Part::Text(_)) => "text",
            Self::Integers(_) => "bigint[]",
            Self::Uuids(_) => "uuid[]",
            Self::Texts(_) => "text[]",
            Self::Bytes(_) => "bytea[]",
        }
    }
}

/// The arguments of a statement under construction.
#[derive(Default)]
struct Bound(Vec<Values>);

impl Bound {
    fn add(&mut self, values: Values) -> String {
        let kind = values.type_name();
        self.0.push(values);
        format!("${}::{kind}", self.0.len())
    }

    fn fill(self, statement: Statement) -> Statement {
        self.0.into_iter().fold(statement, |statement, values| match values {
            Values::One(Part::Integer(it)) => statement.bind(it),
            Values::One(Part::Uuid(it)) => statement.bind(it),
            Values::One(Part::Text(it)) => statement.bind(it),
            Values::Integers(them) => statement.bind(them),
            Values::Uuids(them) => statement.bind(them),
            Values::Texts(them) => statement.bind(them),
            Values::Bytes(them) => statement.bind(them),
        })
    }
}

/// A statement that reads, under construction.
#[derive(Default)]
struct Reading {
    branches: Vec<String>,
    bound: Bound,
}

impl Reading {
    /// One range, or keys of one kind; `place` is that of the first of them.
    fn branch(&mut self, queries: &[Query], place: usize, lock: Lock) {
        let version = match lock {
            Lock::Later => "t.xmin::text::bigint",
            Lock::None | Lock::ForUpdate => "NULL::bigint",
        };
        let lock = match lock {
            Lock::None | Lock::Later => "",
            Lock::ForUpdate => " FOR UPDATE OF t",
        };
        let found = match queries {
            [Query::Range(range)] => {
                let mut arguments = Arguments::after(self.bound.0.len());
                let rows = arguments.in_range(range);
                self.bound.0.extend(arguments.parts.into_iter().map(Values::One));
                format!(
                    "SELECT {place} AS place, fixed, changing, {version} AS version {rows}{lock}"
                )
            }
            [Query::Key(key)] => {
                let mut arguments = Arguments::after(self.bound.0.len());
                let row = arguments.with_key(key);
                self.bound.0.extend(arguments.parts.into_iter().map(Values::One));
                format!(
                    "SELECT {place} AS place, fixed, changing, {version} AS version {row}{lock}"
                )
            }
            keys => {
                let (asked, schema) = self.keys(keys);
                let key = names(&schema.key);
                let table = schema.table;
                format!(
                    "SELECT {place} + at::int - 1 AS place, fixed, changing, {version} AS version \
                     FROM unnest({asked}) WITH ORDINALITY AS asked ({key}, at) \
                     JOIN {table} t USING ({key}) ORDER BY at{lock}"
                )
            }
        };
        let branch = self.branches.len();
        self.branches.push(format!(
            "SELECT place, fixed, changing, version, NULL::bigint AS now FROM ({found}) AS b{branch}"
        ));
    }

    /// The columns of some keys of one kind, as arrays.
    fn keys(&mut self, queries: &[Query]) -> (String, &'static Schema) {
        let keys = queries.iter().filter_map(|query| match query {
            Query::Key(key) => Some(key),
            Query::Range(_) => None,
        });
        let keys: Vec<&Key> = keys.collect();
        let schema = keys[0].kind.schema();
        let columns = schema.key.iter().enumerate().map(|(at, column)| {
            let parts = keys.iter().map(|key| key.parts.get(at).cloned());
            self.bound.add(Values::of(column, parts))
        });
        (columns.collect::<Vec<_>>().join(", "), schema)
    }
}

/// What a row of [`Statements::read`] says.
pub(crate) enum Found {
    /// A record that was found for the query at this place, and its version if it is to be locked later.
    Record(usize, Packed, Option<i64>),
    /// The clock.
    Now(i64),
}

impl Found {
    pub(crate) fn of(row: &PgRow) -> Result<Self, StoreError> {
        let place: i32 = get(row, "place")?;
        match usize::try_from(place) {
            Ok(place) => Ok(Self::Record(place, packed(row)?, get(row, "version")?)),
            Err(_) => Ok(Self::Now(get(row, "now")?)),
        }
    }
}

pub(crate) fn packed(row: &PgRow) -> Result<Packed, StoreError> {
    Ok(Packed { fixed: get(row, "fixed")?, changing: get(row, "changing")? })
}

/// A record as it stands in a row of [`Statements::inspect`].
pub(crate) fn as_it_stands(kind: Kind, row: &PgRow) -> Result<Inspected, StoreError> {
    let schema = kind.schema();
    let value = |column: &Column| {
        let name = &*column.name;
        Ok(match column.kind {
            Type::Integer => get::<Option<i64>>(row, name)?.map(Part::Integer),
            Type::Uuid => get::<Option<Uuid>>(row, name)?.map(Part::Uuid),
            Type::Text => get::<Option<String>>(row, name)?.map(Part::Text),
        })
    };
    let values = schema.key.iter().chain(&schema.columns).map(value);
    Ok(inspected(kind, values.collect::<Result<_, StoreError>>()?, &packed(row)?))
}

pub(crate) fn get<'r, T>(row: &'r PgRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    row.try_get(name)
        .map_err(|error| StoreError::Corrupt { record: "row", detail: format!("{name}: {error}") })
}

/// Whether the record is in the version that was read, if it was read to be locked.
const SAME_VERSION: &str = "(u.version IS NULL OR t.xmin::text::bigint = u.version)";

fn same_key(schema: &Schema) -> String {
    let columns = schema.key.iter();
    let same = columns.map(|column| format!("t.{0} = u.{0}", column.name));
    same.collect::<Vec<_>>().join(" AND ")
}

/// A statement that writes, under construction.
#[derive(Default)]
struct Writing {
    steps: Vec<String>,
    /// How many records each step must find in the version that was read.
    expected: Vec<String>,
    bound: Bound,
}

/// What is done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Fails if somebody else was faster.
    Insert,
    Upsert,
    Update,
    Delete,
}

impl Step {
    const ALL: [Self; 4] = [Self::Insert, Self::Upsert, Self::Update, Self::Delete];

    fn of(write: &Write) -> Self {
        match (&write.after, &write.before) {
            (None, _) => Self::Delete,
            (Some(_), Before::Absent) => Self::Insert,
            (Some(_), Before::Unknown) => Self::Upsert,
            (Some(_), Before::Present(_)) => Self::Update,
        }
    }
}

impl Writing {
    /// One step for all records of a kind to which the same is done.
    fn records(&mut self, changes: &Changes, locked: &Locked) {
        for kind in Kind::ALL {
            self.unchanged(kind.schema(), changes, locked);
            for step in Step::ALL {
                let of_kind = changes.records.iter().filter(|(key, _)| key.kind == *kind);
                let rows: Vec<_> = of_kind.filter(|(_, write)| Step::of(write) == step).collect();
                if !rows.is_empty() {
                    let name = format!("{step:?}_{}", kind.schema().name).to_lowercase();
                    let sql = self.step(kind.schema(), step, &rows, locked);
                    self.steps.push(format!("{name} AS ({sql})"));
                    if matches!(step, Step::Update | Step::Delete) {
                        self.expect(&name, rows.iter().filter_map(|(key, _)| *locked.get(key)?));
                    }
                }
            }
        }
    }

    /// That the step finds all that were read in some version.
    fn expect(&mut self, step: &str, versions: impl Iterator<Item = i64>) {
        match versions.count() {
            0 => {}
            known => self.expected.push(format!("(SELECT count(version) FROM {step}) = {known}")),
        }
    }

    /// What was read to be locked, and is not written. If anything is, it gets another version, as
    /// others that have read it for the same purpose must not write either.
    fn unchanged(&mut self, schema: &Schema, changes: &Changes, locked: &Locked) {
        let others = locked.iter().filter(|(key, _)| {
            key.kind.schema().table == schema.table && !changes.records.contains_key(key)
        });
        let (keys, versions): (Vec<&Key>, Vec<Option<i64>>) = others.unzip();
        let known: Vec<i64> = versions.iter().flatten().copied().collect();
        if keys.is_empty() {
            return;
        }
        let (table, key) = (schema.table, names(&schema.key));
        let mut arrays = Vec::new();
        for (at, column) in schema.key.iter().enumerate() {
            let parts = keys.iter().map(|key| key.parts.get(at).cloned());
            arrays.push(self.bound.add(Values::of(column, parts)));
        }
        arrays.push(self.bound.add(Values::Integers(versions)));
        let (arrays, same_key) = (arrays.join(", "), same_key(schema));
        let name = format!("unchanged_{}", schema.name).to_lowercase();
        let asked = format!("unnest({arrays}) AS u ({key}, version)");
        self.steps.push(if changes.is_empty() {
            format!(
                "{name} AS (SELECT u.version FROM {asked} JOIN {table} t ON {same_key} \
                 WHERE {SAME_VERSION})"
            )
        } else {
            format!(
                "{name} AS (UPDATE {table} t SET changing = t.changing FROM {asked} \
                 WHERE {SAME_VERSION} AND {same_key} RETURNING u.version)"
            )
        });
        self.expect(&name, known.into_iter());
    }

    fn step(
        &mut self,
        schema: &Schema,
        step: Step,
        rows: &[(&Key, &Write)],
        locked: &Locked,
    ) -> String {
        let (table, key) = (schema.table, names(&schema.key));
        let mut arrays = Vec::new();
        for (at, column) in schema.key.iter().enumerate() {
            let parts = rows.iter().map(|(key, _)| key.parts.get(at).cloned());
            arrays.push(self.bound.add(Values::of(column, parts)));
        }
        let same_key = same_key(schema);
        let versions = rows.iter().map(|(key, _)| *locked.get(key)?);
        let versions = Values::Integers(versions.collect());
        if step == Step::Delete {
            arrays.push(self.bound.add(versions));
            let keys = arrays.join(", ");
            return format!(
                "DELETE FROM {table} t USING unnest({keys}) AS u ({key}, version) \
                 WHERE {SAME_VERSION} AND {same_key} RETURNING u.version"
            );
        }
        let after: Vec<&Record> =
            rows.iter().filter_map(|(_, write)| write.after.as_ref()).collect();
        let values: Vec<_> = after.iter().map(|record| record.columns()).collect();
        for (at, column) in schema.columns.iter().enumerate() {
            let parts = values.iter().map(|values| values[at].clone());
            arrays.push(self.bound.add(Values::of(column, parts)));
        }
        let (fixed, changing) = after.iter().map(|record| record.pack().split()).unzip();
        if step != Step::Update {
            arrays.push(self.bound.add(Values::Bytes(fixed)));
        }
        arrays.push(self.bound.add(Values::Bytes(changing)));
        let arrays = arrays.join(", ");
        let columns: Vec<&str> = schema.columns.iter().map(|column| &*column.name).collect();
        let changing = [&*columns, &["changing"]].concat();
        let set = |from: &str| {
            let set = changing.iter().map(|name| format!("{name} = {from}.{name}"));
            set.collect::<Vec<_>>().join(", ")
        };
        if step == Step::Update {
            let set = set("u");
            let columns = changing.join(", ");
            let versions = self.bound.add(versions);
            return format!(
                "UPDATE {table} t SET {set} \
                 FROM unnest({arrays}, {versions}) AS u ({key}, {columns}, version) \
                 WHERE {SAME_VERSION} AND {same_key} RETURNING u.version"
            );
        }
        let columns = [&*columns, &["fixed", "changing"]].concat().join(", ");
        let insert =
            format!("INSERT INTO {table} ({key}, {columns}) SELECT * FROM unnest({arrays})");
        match step {
            Step::Upsert if schema.is_fixed() => format!("{insert} ON CONFLICT DO NOTHING"),
            Step::Upsert => {
                format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {}", set("excluded"))
            }
            _ => insert,
        }
    }

    /// Sends word of new work on those lanes whose flag somebody else holds.
    fn announce(&mut self, schema: &str, changes: &Changes) {
        let lanes: BTreeSet<LaneId> = changes.new_work().into_iter().collect();
        if lanes.is_empty() {
            return;
        }
        let flags = lanes.iter().map(|lane| Some(flag_of(schema, lane)));
        let flags = self.bound.add(Values::Integers(flags.collect()));
        let channel = self.bound.add(Values::One(Part::Text(channel_of(schema))));
        let lanes = lanes.into_iter().map(|lane| Some(lane.0));
        let lanes = self.bound.add(Values::Texts(lanes.collect()));
        self.steps.push(format!(
            "told AS (SELECT pg_notify({channel}, lane) FROM unnest({flags}, {lanes}) AS u (flag, lane) \
             WHERE NOT pg_try_advisory_xact_lock_shared(flag))"
        ));
        // A part that nobody reads from is not run.
        self.expected.push("(SELECT count(*) FROM told) >= 0".to_owned());
    }

    fn events(&mut self, changes: &Changes) {
        for outbox in Outbox::ALL {
            let schema = outbox.schema();
            let events = changes.events.iter().filter(|event| event.outbox() == *outbox);
            let events: Vec<&Event> = events.collect();
            if events.is_empty() {
                continue;
            }
            let values: Vec<_> = events.iter().map(|event| event.columns()).collect();
            let mut arrays = Vec::new();
            for (at, column) in schema.columns.iter().enumerate() {
                let parts = values.iter().map(|values| values[at].clone());
                arrays.push(self.bound.add(Values::of(column, parts)));
            }
            let packed = events.iter().map(|event| event.pack()).collect();
            arrays.push(self.bound.add(Values::Bytes(packed)));
            // The tags as the server has them now, for those who filter by them.
            let tags = if *outbox == Outbox::TagRecord {
                "NULL"
            } else {
                "(SELECT changing FROM ff_exec_tags AS has WHERE \
                 has.partition_key = added.partition_key AND has.execution_id = added.execution_id)"
            };
            let columns = names(&schema.columns);
            self.steps.push(format!(
                "{} AS (INSERT INTO {} ({columns}, event, tags) SELECT added.*, {tags} \
                 FROM unnest({}) AS added ({columns}, event))",
                schema.name,
                schema.table,
                arrays.join(", ")
            ));
        }
    }
}
