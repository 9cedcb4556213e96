//! Reading the outboxes: one stream of the server's for each of them and each partition.

use std::collections::BTreeMap;

use ferriskey::{PipeSlot, Value};
use ff_core::engine_error::EngineError;
use ff_transactional::records::{
    CompletionRecord, Event, LeaseRecord, Outbox, SignalRecord, TagRecord,
};
use ff_transactional::{Events, Feed, Place, StoreError};

use crate::server::Server;
use crate::wire::{Wire, WireError};

/// Of one deployment.
pub(crate) struct Outboxes {
    pub(crate) server: std::sync::Arc<Server>,
    pub(crate) partitions: u16,
}

/// The last entry that was read in each partition that has one: its milliseconds and its number.
type Read = BTreeMap<u16, (u64, u64)>;

impl Feed for Outboxes {
    async fn events(
        &self,
        outbox: Outbox,
        behind: Option<&Place>,
        limit: usize,
    ) -> Result<Events, StoreError> {
        let Some(behind) = behind else {
            let end = self.last(outbox).await.map_err(failed)?;
            return Ok(Events { found: Vec::new(), end: seal(&end) });
        };
        let mut read = open(behind).ok_or_else(|| failed("no place in this storage"))?;
        let mut found = Vec::new();
        for (key, entries) in pairs(self.behind(outbox, &read, limit).await.map_err(failed)?) {
            let partition = text(&key).and_then(|key| partition_of(&key));
            let partition = partition.ok_or_else(|| failed("a stream has no partition"))?;
            for (id, fields) in pairs(entries) {
                let id = text(&id).and_then(|id| id_of(&id));
                read.insert(partition, id.ok_or_else(|| failed("an entry has no id"))?);
                found.push((seal(&read), event(outbox, fields)));
            }
        }
        Ok(Events { found, end: seal(&read) })
    }
}

impl Outboxes {
    fn key(&self, outbox: Outbox, partition: u16) -> String {
        format!("{}:{}", self.server.tag(partition), outbox.schema().name)
    }

    /// Where each stream ends.
    async fn last(&self, outbox: Outbox) -> ferriskey::Result<Read> {
        let mut pipeline = self.server.client.pipeline();
        let slots: Vec<(u16, PipeSlot<Value>)> = (0..self.partitions)
            .map(|partition| {
                let last = pipeline.cmd("XREVRANGE").arg(self.key(outbox, partition));
                (partition, last.arg("+").arg("-").arg("COUNT").arg(1).finish())
            })
            .collect();
        pipeline.execute().await?;
        let mut read = Read::new();
        for (partition, slot) in slots {
            let id = pairs(slot.value()?).into_iter().next().and_then(|(id, _)| text(&id));
            read.extend(id.and_then(|id| id_of(&id)).map(|id| (partition, id)));
        }
        Ok(read)
    }

    /// The entries that come after, at most so many of each stream.
    async fn behind(&self, outbox: Outbox, read: &Read, limit: usize) -> ferriskey::Result<Value> {
        let mut command = self.server.client.cmd("XREAD").arg("COUNT").arg(limit).arg("STREAMS");
        for partition in 0..self.partitions {
            command = command.arg(self.key(outbox, partition));
        }
        for partition in 0..self.partitions {
            let (at, number) = read.get(&partition).copied().unwrap_or_default();
            command = command.arg(format!("{at}-{number}"));
        }
        command.execute().await
    }
}

fn seal(read: &Read) -> Place {
    let entries = read.iter().map(|(partition, (at, number))| format!("{partition}:{at}-{number}"));
    entries.collect::<Vec<_>>().join(" ").into_bytes()
}

fn open(place: &[u8]) -> Option<Read> {
    let entry = |entry: &str| {
        let (partition, id) = entry.split_once(':')?;
        Some((partition.parse().ok()?, id_of(id)?))
    };
    std::str::from_utf8(place).ok()?.split_terminator(' ').map(entry).collect()
}

fn id_of(id: &str) -> Option<(u64, u64)> {
    let (at, number) = id.split_once('-')?;
    Some((at.parse().ok()?, number.parse().ok()?))
}

/// The partition of a stream's key, which is in braces.
fn partition_of(key: &str) -> Option<u16> {
    let (_, rest) = key.rsplit_once("{fp:")?;
    rest.split_once('}')?.0.parse().ok()
}

/// A list of pairs, in either version of the protocol.
fn pairs(value: Value) -> Vec<(Value, Value)> {
    match value {
        Value::Map(pairs) => pairs,
        Value::Array(items) => {
            let pair = |item| match item {
                Ok(Value::Array(pair)) => {
                    let mut pair = pair.into_iter().map_while(Result::ok);
                    Some((pair.next()?, pair.next()?))
                }
                _ => None,
            };
            items.into_iter().filter_map(pair).collect()
        }
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

/// The event that an entry has under its one name: the last of what it has, in either version of the protocol.
fn event(outbox: Outbox, fields: Value) -> Result<Event, StoreError> {
    let record = outbox.schema().name;
    let corrupt = |detail: String| StoreError::Corrupt { record, detail };
    match fields {
        Value::BulkString(packed) => {
            unpacked(outbox, &packed).map_err(|error| corrupt(error.to_string()))
        }
        Value::Array(mut items) => match items.pop() {
            Some(Ok(last)) => event(outbox, last),
            _ => Err(corrupt("an entry has no event".to_owned())),
        },
        Value::Map(mut pairs) => match pairs.pop() {
            Some((_, last)) => event(outbox, last),
            None => Err(corrupt("an entry has no event".to_owned())),
        },
        other => Err(corrupt(format!("an entry has {other:?}"))),
    }
}

/// A list of the event's fields in the order of its kind, with `false` for what is not there.
fn unpacked(outbox: Outbox, packed: &[u8]) -> Result<Event, WireError> {
    let Wire::List(values) = Wire::unpack(packed)? else {
        return Err(serde::de::Error::custom("an event is a list"));
    };
    let names = outbox.schema().fields.iter().map(|field| Wire::Raw(field.name.into()));
    let given = names.zip(values).filter(|(_, value)| *value != Wire::Bool(false));
    let fields = Wire::Map(given.collect());
    Ok(match outbox {
        Outbox::CompletionRecord => fields.into::<CompletionRecord>()?.into(),
        Outbox::LeaseRecord => fields.into::<LeaseRecord>()?.into(),
        Outbox::SignalRecord => fields.into::<SignalRecord>()?.into(),
        Outbox::TagRecord => fields.into::<TagRecord>()?.into(),
    })
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Failed(error.into())
}

/// The outbox of this name.
pub(crate) fn named(name: &str) -> Option<Outbox> {
    Outbox::ALL.iter().copied().find(|outbox| outbox.schema().name == name)
}

/// How a subscription that cannot begin is refused.
pub(crate) fn refused(error: StoreError) -> EngineError {
    EngineError::transport("valkey", error)
}
