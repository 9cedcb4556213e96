//! What a store has to know of a kind of records: its table, key, columns, indexes and fields.

use ff_core::backend::Namespace;
use ff_core::types::{
    AttemptId, AttemptIndex, BudgetId, EdgeId, ExecutionId, FlowId, LaneId, LeaseId, QuotaPolicyId,
    SignalId, TimestampMs, WaitpointId, WorkerInstanceId,
};
use uuid::Uuid;

/// One value of a key or of an index. Parts compare as a store has to order them: texts by their
/// bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Integer(i64),
    Uuid(Uuid),
    Text(String),
}

/// The type of a part, and of the column that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Integer,
    Uuid,
    Text,
}

/// A column of a table. Those of a key are never null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Type,
}

/// What can be a part of a key or of an index.
pub trait Indexed {
    /// The columns that hold it under this name.
    fn columns(name: &str) -> Vec<Column>;

    /// Its parts, one for each of these columns.
    fn parts(&self, parts: &mut Vec<Part>);
}

fn column(name: &str, kind: Type) -> Vec<Column> {
    let name = name.to_owned();
    vec![Column { name, kind }]
}

macro_rules! indexed {
    ($($ty:ty: $kind:ident = |$value:ident| $part:expr;)*) => {$(
        impl Indexed for $ty {
            fn columns(name: &str) -> Vec<Column> {
                column(name, Type::$kind)
            }

            fn parts(&self, parts: &mut Vec<Part>) {
                let $value = self;
                parts.push(Part::$kind($part));
            }
        }
    )*};
}

indexed! {
    i64: Integer = |number| *number;
    u16: Integer = |number| (*number).into();
    AttemptIndex: Integer = |index| index.0.into();
    TimestampMs: Integer = |time| time.0;
    FlowId: Uuid = |id| id.0;
    BudgetId: Uuid = |id| id.0;
    QuotaPolicyId: Uuid = |id| id.0;
    EdgeId: Uuid = |id| id.0;
    WaitpointId: Uuid = |id| id.0;
    SignalId: Uuid = |id| id.0;
    LeaseId: Uuid = |id| id.0;
    AttemptId: Uuid = |id| id.0;
    Uuid: Uuid = |uuid| *uuid;
    String: Text = |text| text.clone();
    &'static str: Text = |text| (*text).to_owned();
    LaneId: Text = |lane| lane.0.clone();
    Namespace: Text = |namespace| namespace.0.clone();
    WorkerInstanceId: Text = |instance| instance.0.clone();
}

/// An execution is found by its partition and its UUID, which sort as its text does within a
/// partition.
impl Indexed for ExecutionId {
    fn columns(name: &str) -> Vec<Column> {
        let partition = name.replace("execution_id", "partition_key");
        [column(&partition, Type::Integer), column(name, Type::Uuid)].concat()
    }

    fn parts(&self, parts: &mut Vec<Part>) {
        parts.push(Part::Integer(self.partition().into()));
        parts.push(Part::Uuid(self.uuid()));
    }
}

/// An order in which records can be read. It names those records that have all of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSchema {
    pub name: &'static str,
    /// Its own columns; those of the key that are not among them follow, so that no two entries are equal.
    pub columns: Vec<Column>,
}

/// A field of a record, by the name under which it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    /// Whether it may differ between two versions of a record.
    pub changes: bool,
}

/// A kind of records, or an outbox.
#[derive(Clone, Debug)]
pub struct Schema {
    pub name: &'static str,
    pub table: &'static str,
    /// Empty for an outbox, whose store numbers the entries.
    pub key: Vec<Column>,
    /// Other columns, null where they do not apply: those of indexes, and those for people.
    pub columns: Vec<Column>,
    /// The first is the key itself.
    pub indexes: Vec<IndexSchema>,
    pub fields: Vec<Field>,
    /// Where each of `columns` comes from: places in the entries of a record and in the parts there.
    sources: Vec<Vec<(usize, usize)>>,
}

impl Schema {
    /// Columns that stand in the key or in an earlier index are the same column.
    pub(super) fn new(
        (name, table): (&'static str, &'static str),
        fields: Vec<Field>,
        key: Vec<Column>,
        indexes: Vec<IndexSchema>,
        shown: Vec<Vec<Column>>,
    ) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        let mut sources: Vec<Vec<(usize, usize)>> = Vec::new();
        let indexed = indexes.iter().map(|index| &index.columns);
        for (index, entry) in indexed.chain(&shown).enumerate() {
            for (place, column) in entry.iter().enumerate() {
                if key.contains(column) {
                    continue;
                }
                let known = columns.iter().position(|known| known == column);
                let at = known.unwrap_or_else(|| {
                    columns.push(column.clone());
                    sources.push(Vec::new());
                    columns.len() - 1
                });
                sources[at].push((index, place));
            }
        }
        Self { name, table, key, columns, indexes, fields, sources }
    }

    /// Whether nothing of its records ever changes.
    pub fn is_fixed(&self) -> bool {
        self.columns.is_empty() && !self.fields.iter().any(|field| field.changes)
    }

    /// What stands in `columns`, given the entries of a record: those in `indexes`, then those shown.
    pub(super) fn values(&self, entries: &[Option<Vec<Part>>]) -> Vec<Option<Part>> {
        let value = |sources: &Vec<(usize, usize)>| {
            let found = |(index, place): &(usize, usize)| entries[*index].as_ref()?.get(*place);
            sources.iter().find_map(found).cloned()
        };
        self.sources.iter().map(value).collect()
    }

    /// The columns of an index that its entries may lack: a record is in the index if all are there.
    pub fn conditions(&self, index: usize) -> impl Iterator<Item = &Column> {
        let columns = self.indexes[index].columns.iter();
        columns.filter(|column| !self.key.contains(column))
    }
}
