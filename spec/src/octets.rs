//! Bytes under serde: themselves, but text in a format for people such as JSON.
//!
//! The text is the bytes as UTF-8, with `\xFF` and its like for what is none and for spaces, and
//! with `\\`, `\0`, `\n`, `\r`, `\t`. A payload of text stays readable, and no format lists bytes
//! as numbers.

use bstr::{ByteSlice, ByteVec};
use serde::{Deserialize, Deserializer, Serializer};
use serde_with::{As, Bytes, DeserializeAs, IfIsHumanReadable, SerializeAs};

/// For a field of bytes.
pub(crate) type Octets = As<Either>;

/// For a field of bytes that may be missing, which is `None`.
pub(crate) type OptionalOctets = As<Option<Either>>;

type Either = IfIsHumanReadable<Escaped, Bytes>;

pub(crate) struct Escaped;

impl<T: AsRef<[u8]>> SerializeAs<T> for Escaped {
    fn serialize_as<S: Serializer>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&bytes.as_ref().escape_bytes())
    }
}

impl<'de, T: From<Vec<u8>>> DeserializeAs<'de, T> for Escaped {
    fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Vec::unescape_bytes(text).into())
    }
}
