//! JSON documents as the library keeps them: see `lua/metering/summaries.lua`.

use ff_core::engine_error::{EngineError, ValidationKind};
use ff_transactional::set_nulls;
use serde_json::{Map, Value};

use crate::wire::Wire;

/// A patch, or a document: objects member by member, everything else as it is.
pub(crate) fn tagged(value: &Value) -> Vec<u8> {
    let (tag, content) = match value {
        Value::Null => (b'n', Vec::new()),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                (Wire::Raw(name.clone().into_bytes()), Wire::Raw(tagged(value)))
            };
            (b'o', Wire::Map(members.iter().map(member).collect()).pack())
        }
        other => {
            let mut value = other.clone();
            set_nulls(&mut value);
            (b'v', value.to_string().into_bytes())
        }
    };
    [vec![tag], content].concat()
}

/// The document that is kept like this.
pub(crate) fn document(tagged: &[u8]) -> Result<Value, EngineError> {
    match tagged.split_first() {
        Some((b'o', members)) => match Wire::unpack(members).map_err(corrupt)? {
            Wire::Map(members) => {
                let members = members.into_iter().map(|(name, value)| match (name, value) {
                    (Wire::Raw(name), Wire::Raw(value)) => {
                        Ok((String::from_utf8(name).map_err(corrupt)?, document(&value)?))
                    }
                    other => Err(corrupt(format!("{other:?} is no member"))),
                });
                members.collect::<Result<_, _>>().map(Value::Object)
            }
            // Lua has one empty table.
            Wire::List(items) if items.is_empty() => Ok(Value::Object(Map::new())),
            other => Err(corrupt(format!("{other:?} is no object"))),
        },
        Some((b'v', value)) => serde_json::from_slice(value).map_err(corrupt),
        _ => Err(corrupt("it is neither an object nor a value")),
    }
}

fn corrupt(detail: impl ToString) -> EngineError {
    let detail = format!("the summary document: {}", detail.to_string());
    EngineError::validation(ValidationKind::Corruption, detail)
}
