//! How arguments and replies travel: `MessagePack` as Lua's `cmsgpack` reads and writes it.
//!
//! It knows neither bytes nor nothing nor large integers, so here, and nowhere else:
//! - bytes and texts are both raw strings;
//! - a field that is `None` is left out, and one that is missing is `None`;
//! - integers are at most 2^53 − 1 in size, beyond which Lua rounds;
//! - an empty list may stand for an empty map, as Lua has one empty table for both.

mod decode;
mod encode;

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value of the kinds that Lua has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wire {
    Nil,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Raw(Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

/// Why something does not travel.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WireError(String);

impl WireError {
    fn new(detail: impl Display) -> Self {
        Self(detail.to_string())
    }
}

impl serde::ser::Error for WireError {
    fn custom<T: Display>(detail: T) -> Self {
        Self::new(detail)
    }
}

impl serde::de::Error for WireError {
    fn custom<T: Display>(detail: T) -> Self {
        Self::new(detail)
    }
}

impl Wire {
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, WireError> {
        value.serialize(encode::Encoder)
    }

    pub(crate) fn into<T: DeserializeOwned>(self) -> Result<T, WireError> {
        T::deserialize(self)
    }

    /// The content of an enum's variant that was serialised: `{variant: content}`.
    pub(crate) fn content(self) -> Self {
        match self {
            Self::Map(mut fields) if fields.len() == 1 => fields.remove(0).1,
            other => other,
        }
    }

    /// Removes a field.
    pub(crate) fn take(&mut self, name: &str) -> Option<Self> {
        let Self::Map(fields) = self else { return None };
        let named = |(key, _): &(Self, Self)| *key == Self::Raw(name.as_bytes().to_vec());
        let place = fields.iter().position(named)?;
        Some(fields.remove(place).1)
    }

    pub(crate) fn map<const N: usize>(fields: [(&str, Self); N]) -> Self {
        let key = |name: &str| Self::Raw(name.as_bytes().to_vec());
        Self::Map(fields.map(|(name, value)| (key(name), value)).into())
    }

    /// The map with one more field.
    pub(crate) fn with(mut self, name: &str, value: Self) -> Self {
        if let Self::Map(fields) = &mut self {
            fields.push((Self::Raw(name.as_bytes().to_vec()), value));
        }
        self
    }

    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode::write(&mut bytes, self);
        bytes
    }

    pub(crate) fn unpack(mut bytes: &[u8]) -> Result<Self, WireError> {
        let value = decode::read(&mut bytes)?;
        if bytes.is_empty() { Ok(value) } else { Err(WireError::new("bytes are left over")) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ff_core::backend::HandleOpaque;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Everything {
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        #[serde(default, with = "serde_bytes")]
        some: Option<Vec<u8>>,
        none: Option<String>,
        opaque: HandleOpaque,
        texts: Vec<String>,
        set: BTreeSet<String>,
        tags: BTreeMap<String, String>,
        number: i64,
        ratio: f64,
        kinds: Vec<Kind>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        New(u32),
        Named { at: i64 },
    }

    fn everything(bytes: Vec<u8>) -> Everything {
        Everything {
            some: Some(bytes.clone()),
            opaque: HandleOpaque::new(bytes.clone().into_boxed_slice()),
            bytes,
            none: None,
            texts: Vec::new(),
            set: BTreeSet::from(["a".to_owned()]),
            tags: BTreeMap::new(),
            number: -9_007_199_254_740_991,
            ratio: 1.1,
            kinds: vec![Kind::Plain, Kind::New(7), Kind::Named { at: 3 }],
        }
    }

    #[test]
    fn everything_comes_back() {
        for bytes in [Vec::new(), (0..=255).collect(), vec![0xff; 65_536]] {
            let sent = everything(bytes);
            let packed = Wire::of(&sent).unwrap().pack();
            let back: Everything = Wire::unpack(&packed).unwrap().into().unwrap();
            assert_eq!(back, sent);
        }
    }

    #[test]
    fn bytes_are_raw_strings_and_nothing_is_left_out() {
        let Wire::Map(fields) = Wire::of(&everything(vec![0, 255])).unwrap() else {
            panic!("a struct is a map");
        };
        let field = |name: &str| {
            let named = |(key, _): &&(Wire, Wire)| *key == Wire::Raw(name.into());
            fields.iter().find(named).map(|(_, value)| value.clone())
        };
        assert_eq!(field("bytes"), Some(Wire::Raw(vec![0, 255])));
        assert_eq!(field("opaque"), Some(Wire::Raw(vec![0, 255])));
        assert_eq!(field("none"), None);
        assert_eq!(field("texts"), Some(Wire::List(Vec::new())));
    }

    #[test]
    fn an_empty_list_is_an_empty_map_too() {
        let tags: BTreeMap<String, String> = Wire::List(Vec::new()).into().unwrap();
        assert!(tags.is_empty());
        let bytes: serde_bytes::ByteBuf = Wire::Raw(Vec::new()).into().unwrap();
        assert!(bytes.is_empty());
    }

    #[test]
    fn an_integer_that_lua_would_round_is_refused() {
        assert!(Wire::of(&9_007_199_254_740_991_u64).is_ok());
        assert!(Wire::of(&9_007_199_254_740_992_u64).is_err());
        assert!(Wire::of(&-9_007_199_254_740_992_i64).is_err());
    }

    #[test]
    fn truncated_bytes_are_an_error() {
        let packed = Wire::of(&everything(vec![1, 2, 3])).unwrap().pack();
        for length in 0..packed.len() {
            assert!(Wire::unpack(&packed[..length]).is_err(), "{length} bytes");
        }
    }
}
