//! Short names for the ids of generated sequences, and answers in a form that two backends share.

use std::collections::HashMap;
use std::sync::LazyLock;

use ff_core::call::Reply;
use ff_core::engine_error::EngineError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What generated sequences talk about: `e1` is an execution, `f1` a flow, `d1` a dependency, `w1` a
/// waitpoint, `s1` a signal, `u1` a suspension, `l1` a lease, `a1` an attempt, `b1` a budget, `q1` a quota policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Execution,
    Flow,
    Edge,
    Waitpoint,
    Signal,
    Suspension,
    Lease,
    Attempt,
    Budget,
    Quota,
}

/// Things of each kind at most.
const MOST: usize = 64;

/// A multiple of the polynomial of the checksum that partitions flows, which leaves it as it is.
const SAME_CHECKSUM: u128 = 0x1_1021 << 24;

impl Thing {
    const ALL: [Self; 10] = [
        Self::Execution,
        Self::Flow,
        Self::Edge,
        Self::Waitpoint,
        Self::Signal,
        Self::Suspension,
        Self::Lease,
        Self::Attempt,
        Self::Budget,
        Self::Quota,
    ];

    fn name(self, number: usize) -> String {
        let letter = match self {
            Self::Execution => 'e',
            Self::Flow => 'f',
            Self::Edge => 'd',
            Self::Waitpoint => 'w',
            Self::Signal => 's',
            Self::Suspension => 'u',
            Self::Lease => 'l',
            Self::Attempt => 'a',
            Self::Budget => 'b',
            Self::Quota => 'q',
        };
        format!("{letter}{number}")
    }

    /// The id of the thing with this number, from 1. Ids are not in the order of numbers. All
    /// flows but the third share a partition in every layout.
    pub(crate) fn uuid(self, number: usize) -> Uuid {
        static IDS: LazyLock<Vec<Vec<Uuid>>> = LazyLock::new(|| {
            let ids = |thing: &Thing| (0..=MOST).map(|number| thing.new_uuid(number)).collect();
            Thing::ALL.iter().map(ids).collect()
        });
        IDS[self as usize].get(number).copied().unwrap_or_else(|| self.new_uuid(number))
    }

    fn new_uuid(self, number: usize) -> Uuid {
        match (self, number) {
            (Self::Flow, 2 | 4..) => {
                let unchanged = SAME_CHECKSUM << (number % 64);
                Uuid::from_u128(Self::Flow.new_uuid(1).as_u128() ^ unchanged)
            }
            _ => Uuid::new_v5(&Uuid::NAMESPACE_OID, self.name(number).as_bytes()),
        }
    }
}

/// What sequences call it; nothing if a backend has minted it.
pub(crate) fn name_of(uuid: Uuid) -> Option<&'static str> {
    static NAMES: LazyLock<HashMap<Uuid, String>> = LazyLock::new(|| {
        let all =
            Thing::ALL.into_iter().flat_map(|thing| (1..=MOST).map(move |number| (thing, number)));
        all.map(|(thing, number)| (thing.uuid(number), thing.name(number))).collect()
    });
    NAMES.get(&uuid).map(String::as_str)
}

/// Names for what a backend mints.
#[derive(Debug, Default)]
pub(crate) enum Minted {
    /// In the order of first appearance, so that two backends that mint at the same places get the
    /// same names.
    Numbered(HashMap<Uuid, usize>),
    /// One name for all, where calls overlap and there is no first.
    #[default]
    Alike,
}

impl Minted {
    fn name(&mut self, uuid: Uuid) -> String {
        match self {
            Self::Numbered(known) => {
                let next = known.len() + 1;
                format!("minted-{}", known.entry(uuid).or_insert(next))
            }
            Self::Alike => "minted".to_owned(),
        }
    }
}

/// An answer with names for ids, and without texts for people.
pub(crate) fn canonical(answer: &Result<Reply, EngineError>, minted: &mut Minted) -> Value {
    match answer {
        Ok(reply) => match plain(reply, minted) {
            // The method is known from the call.
            Value::Object(fields) if fields.len() == 1 => {
                fields.into_iter().next().map_or(Value::Null, |(_, value)| value)
            }
            other => other,
        },
        Err(error) => {
            let told = match error {
                // Its detail is a text for people.
                EngineError::Validation { .. } | EngineError::Transport { .. } => Value::Null,
                error => innermost(plain(error, minted)),
            };
            json!({ "refused": error.code(), "telling": told })
        }
    }
}

/// What an error carries beside its kind; nothing where it is all kind.
fn innermost(error: Value) -> Value {
    match error {
        Value::Object(fields) if fields.len() == 1 => {
            fields.into_iter().next().map_or(Value::Null, |(_, value)| innermost(value))
        }
        Value::Object(fields) => Value::Object(fields),
        _ => Value::Null,
    }
}

/// A value with names for ids.
pub(crate) fn plain(value: &impl Serialize, minted: &mut Minted) -> Value {
    match serde_json::to_value(value) {
        Ok(value) => named(value, minted),
        Err(error) => json!(format!("cannot be shown: {error}")),
    }
}

fn named(value: Value, minted: &mut Minted) -> Value {
    match value {
        Value::String(text) => Value::String(named_text(text, minted)),
        Value::Array(mut items) => {
            // What is listed by ids that backends mint has an order of its own in each.
            items.sort_by_cached_key(|item| {
                let told = |names: [&str; 3]| names.map(|name| item[name].to_string());
                match item {
                    Value::Object(fields) if fields.contains_key("token_fingerprint") => {
                        Some(told(["created_at", "waitpoint_key", "state"]))
                    }
                    Value::Object(fields) if fields.contains_key("signal_category") => {
                        Some(told(["accepted_at", "signal_name", "source_identity"]))
                    }
                    _ => None,
                }
            });
            items.into_iter().map(|item| named(item, minted)).collect()
        }
        Value::Object(fields) if fields.contains_key("opaque") => {
            json!({ "handle": fields.get("kind") })
        }
        Value::Object(fields) => {
            let is_frame = fields.contains_key("fields");
            let named = fields.into_iter().map(|(name, value)| {
                let value = match name.as_str() {
                    "token_fingerprint" => json!("fingerprint"),
                    "grant_key" => json!("grant"),
                    "stream_id" => json!("place"),
                    "detail" => json!("told"),
                    "partition_key" => json!("partition"),
                    "id" if is_frame => json!("place"),
                    _ => named(value, minted),
                };
                (name, value)
            });
            Value::Object(named.collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn named_text(text: String, minted: &mut Minted) -> String {
    let bare = match text.split_once("}:") {
        Some((tag, rest)) if tag.starts_with("{fp:") => rest,
        _ => text.as_str(),
    };
    match Uuid::parse_str(bare) {
        Ok(uuid) => name_of(uuid).map_or_else(|| minted.name(uuid), str::to_owned),
        Err(_) => signed_by(&text).map_or(text, |kid| format!("{kid}:signature")),
    }
}

/// The id of the key that signed this text, if it is a token.
fn signed_by(text: &str) -> Option<String> {
    let (kid, digest) = text.split_once(':')?;
    let is_hex = |byte: u8| byte.is_ascii_hexdigit();
    (digest.len() == 40 && digest.bytes().all(is_hex)).then(|| kid.to_owned())
}

/// Each leaf of a value under its path.
pub(crate) fn leaves(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&mut found, "", value);
    found
}

fn collect(into: &mut Vec<(String, String)>, path: &str, value: &Value) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(into, &below(name), value);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (number, value) in items.iter().enumerate() {
                collect(into, &below(&number.to_string()), value);
            }
        }
        Value::String(text) => into.push((path.to_owned(), text.clone())),
        other => into.push((path.to_owned(), other.to_string())),
    }
}
