//! From bytes to Rust values.

use rmp::Marker;
use rmp::decode::read_marker;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Wire, WireError};

type Result<T> = std::result::Result<T, WireError>;

/// How deep values may be nested; ours are not half as deep.
const DEPTH: usize = 32;

/// Takes a value off the front.
pub(super) fn read(bytes: &mut &[u8]) -> Result<Wire> {
    read_within(bytes, DEPTH)
}

fn read_within(bytes: &mut &[u8], depth: usize) -> Result<Wire> {
    let depth = depth.checked_sub(1).ok_or_else(|| WireError::new("nested too deep"))?;
    let marker = read_marker(bytes).map_err(|error| WireError::new(error.0))?;
    Ok(match marker {
        Marker::Null => Wire::Nil,
        Marker::True => Wire::Bool(true),
        Marker::False => Wire::Bool(false),
        Marker::FixPos(value) => Wire::Integer(value.into()),
        Marker::FixNeg(value) => Wire::Integer(value.into()),
        Marker::U8 => Wire::Integer(u8::from_be_bytes(take(bytes)?).into()),
        Marker::U16 => Wire::Integer(u16::from_be_bytes(take(bytes)?).into()),
        Marker::U32 => Wire::Integer(u32::from_be_bytes(take(bytes)?).into()),
        Marker::U64 => {
            let value = u64::from_be_bytes(take(bytes)?);
            Wire::Integer(i64::try_from(value).map_err(WireError::new)?)
        }
        Marker::I8 => Wire::Integer(i8::from_be_bytes(take(bytes)?).into()),
        Marker::I16 => Wire::Integer(i16::from_be_bytes(take(bytes)?).into()),
        Marker::I32 => Wire::Integer(i32::from_be_bytes(take(bytes)?).into()),
        Marker::I64 => Wire::Integer(i64::from_be_bytes(take(bytes)?)),
        Marker::F32 => Wire::Float(f32::from_be_bytes(take(bytes)?).into()),
        Marker::F64 => Wire::Float(f64::from_be_bytes(take(bytes)?)),
        Marker::FixStr(length) => raw(bytes, length.into())?,
        Marker::Str8 => raw8(bytes)?,
        Marker::Str16 => raw16(bytes)?,
        Marker::Str32 => raw32(bytes)?,
        Marker::FixArray(length) => list(bytes, length.into(), depth)?,
        Marker::Array16 => {
            let length = u16::from_be_bytes(take(bytes)?);
            list(bytes, length.into(), depth)?
        }
        Marker::Array32 => {
            let length = u32::from_be_bytes(take(bytes)?);
            list(bytes, length as usize, depth)?
        }
        Marker::FixMap(length) => map(bytes, length.into(), depth)?,
        Marker::Map16 => {
            let length = u16::from_be_bytes(take(bytes)?);
            map(bytes, length.into(), depth)?
        }
        Marker::Map32 => {
            let length = u32::from_be_bytes(take(bytes)?);
            map(bytes, length as usize, depth)?
        }
        other => {
            return Err(WireError::new(format!("{other:?} is nothing that Lua packs")));
        }
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or_else(|| WireError::new("cut short"))?;
    *bytes = rest;
    Ok(*head)
}

fn raw8(bytes: &mut &[u8]) -> Result<Wire> {
    let length = u8::from_be_bytes(take(bytes)?);
    raw(bytes, length.into())
}

fn raw16(bytes: &mut &[u8]) -> Result<Wire> {
    let length = u16::from_be_bytes(take(bytes)?);
    raw(bytes, length.into())
}

fn raw32(bytes: &mut &[u8]) -> Result<Wire> {
    let length = u32::from_be_bytes(take(bytes)?);
    raw(bytes, length as usize)
}

fn raw(bytes: &mut &[u8], length: usize) -> Result<Wire> {
    let (head, rest) = bytes.split_at_checked(length).ok_or_else(|| WireError::new("cut short"))?;
    *bytes = rest;
    Ok(Wire::Raw(head.to_vec()))
}

fn list(bytes: &mut &[u8], length: usize, depth: usize) -> Result<Wire> {
    let items: Result<Vec<Wire>> = (0..length).map(|_| read_within(bytes, depth)).collect();
    Ok(Wire::List(items?))
}

fn map(bytes: &mut &[u8], length: usize, depth: usize) -> Result<Wire> {
    let fields: Result<Vec<(Wire, Wire)>> =
        (0..length).map(|_| Ok((read_within(bytes, depth)?, read_within(bytes, depth)?))).collect();
    Ok(Wire::Map(fields?))
}

impl IntoDeserializer<'_, WireError> for Wire {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Wire {
    type Error = WireError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Nil => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Integer(value) => visitor.visit_i64(value),
            Self::Float(value) => visitor.visit_f64(value),
            Self::Raw(bytes) => match String::from_utf8(bytes) {
                Ok(text) => visitor.visit_string(text),
                Err(error) => visitor.visit_byte_buf(error.into_bytes()),
            },
            Self::List(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter())),
            Self::Map(fields) => visitor.visit_map(MapDeserializer::new(fields.into_iter())),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::List(items) if items.is_empty() => Self::Map(Vec::new()).deserialize_any(visitor),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Raw(bytes) => visitor.visit_byte_buf(bytes),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Nil => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self {
            Self::Raw(_) => visitor.visit_enum(Variant(self, Self::Nil)),
            Self::Map(mut fields) if fields.len() == 1 => {
                let (name, content) = fields.remove(0);
                visitor.visit_enum(Variant(name, content))
            }
            other => Err(WireError::custom(format!("{other:?} is no variant"))),
        }
    }

    forward_to_deserialize_any! {
        seq bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct tuple
        tuple_struct identifier ignored_any
    }
}

/// A variant's name and content.
struct Variant(Wire, Wire);

impl<'de> EnumAccess<'de> for Variant {
    type Error = WireError;
    type Variant = Wire;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Wire)> {
        Ok((seed.deserialize(self.0)?, self.1))
    }
}

impl<'de> VariantAccess<'de> for Wire {
    type Error = WireError;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }
}
