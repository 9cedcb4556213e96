//! From Rust values to bytes.

use ff_core::types::MAX_INTEGER;
use rmp::encode as rmp;
use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{Wire, WireError};

type Result<T> = std::result::Result<T, WireError>;

/// Appends the value. Writing to memory does not fail.
pub(super) fn write(out: &mut Vec<u8>, value: &Wire) {
    let length = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
    match value {
        Wire::Nil => drop(rmp::write_nil(out)),
        Wire::Bool(value) => drop(rmp::write_bool(out, *value)),
        Wire::Integer(value) => drop(rmp::write_sint(out, *value)),
        Wire::Float(value) => drop(rmp::write_f64(out, *value)),
        Wire::Raw(bytes) => {
            drop(rmp::write_str_len(out, length(bytes.len())));
            out.extend_from_slice(bytes);
        }
        Wire::List(items) => {
            drop(rmp::write_array_len(out, length(items.len())));
            for item in items {
                write(out, item);
            }
        }
        Wire::Map(fields) => {
            drop(rmp::write_map_len(out, length(fields.len())));
            for (key, value) in fields {
                write(out, key);
                write(out, value);
            }
        }
    }
}

/// Makes a [`Wire`] of whatever is serialised.
pub(super) struct Encoder;

impl Serializer for Encoder {
    type Ok = Wire;
    type Error = WireError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Fields;

    fn is_human_readable(&self) -> bool {
        false
    }
    fn serialize_bool(self, value: bool) -> Result<Wire> {
        Ok(Wire::Bool(value))
    }
    fn serialize_i8(self, value: i8) -> Result<Wire> {
        self.serialize_i64(value.into())
    }
    fn serialize_i16(self, value: i16) -> Result<Wire> {
        self.serialize_i64(value.into())
    }
    fn serialize_i32(self, value: i32) -> Result<Wire> {
        self.serialize_i64(value.into())
    }
    fn serialize_i64(self, value: i64) -> Result<Wire> {
        if value.unsigned_abs() > MAX_INTEGER {
            return Err(WireError::new(format!("{value} is beyond 2^53 - 1")));
        }
        Ok(Wire::Integer(value))
    }
    fn serialize_u8(self, value: u8) -> Result<Wire> {
        self.serialize_i64(value.into())
    }
    fn serialize_u16(self, value: u16) -> Result<Wire> {
        self.serialize_i64(value.into())
    }
    fn serialize_u32(self, value: u32) -> Result<Wire> {
        self.serialize_i64(value.into())
    }
    fn serialize_u64(self, value: u64) -> Result<Wire> {
        self.serialize_i64(i64::try_from(value).unwrap_or(i64::MAX))
    }
    fn serialize_f32(self, value: f32) -> Result<Wire> {
        self.serialize_f64(value.into())
    }
    fn serialize_f64(self, value: f64) -> Result<Wire> {
        Ok(Wire::Float(value))
    }
    fn serialize_char(self, value: char) -> Result<Wire> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result<Wire> {
        self.serialize_bytes(value.as_bytes())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<Wire> {
        Ok(Wire::Raw(value.to_vec()))
    }
    fn serialize_none(self) -> Result<Wire> {
        Ok(Wire::Nil)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Wire> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Wire> {
        Ok(Wire::Nil)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Wire> {
        Ok(Wire::Nil)
    }
    fn serialize_unit_variant(self, _: &str, _: u32, variant: &'static str) -> Result<Wire> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Wire> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Wire> {
        Ok(Wire::map([(variant, value.serialize(self)?)]))
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Items> {
        Ok(Items::new(None))
    }
    fn serialize_tuple(self, _: usize) -> Result<Items> {
        Ok(Items::new(None))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items> {
        Ok(Items::new(None))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items> {
        Ok(Items::new(Some(variant)))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Fields> {
        Ok(Fields::new(None))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields> {
        Ok(Fields::new(None))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields> {
        Ok(Fields::new(Some(variant)))
    }
}

/// A list under construction, perhaps as the content of a variant.
pub(super) struct Items {
    variant: Option<&'static str>,
    items: Vec<Wire>,
}

impl Items {
    fn new(variant: Option<&'static str>) -> Self {
        Self { variant, items: Vec::new() }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.items.push(value.serialize(Encoder)?);
        Ok(())
    }

    fn finish(self) -> Wire {
        within(self.variant, Wire::List(self.items))
    }
}

/// A map under construction, perhaps as the content of a variant. What is nothing is left out.
pub(super) struct Fields {
    variant: Option<&'static str>,
    key: Wire,
    entries: Vec<(Wire, Wire)>,
}

impl Fields {
    fn new(variant: Option<&'static str>) -> Self {
        Self { variant, key: Wire::Nil, entries: Vec::new() }
    }

    fn push<T: Serialize + ?Sized>(&mut self, key: Wire, value: &T) -> Result<()> {
        let value = value.serialize(Encoder)?;
        if value != Wire::Nil {
            self.entries.push((key, value));
        }
        Ok(())
    }

    fn finish(self) -> Wire {
        within(self.variant, Wire::Map(self.entries))
    }
}

fn within(variant: Option<&'static str>, content: Wire) -> Wire {
    match variant {
        Some(variant) => Wire::map([(variant, content)]),
        None => content,
    }
}

macro_rules! compound {
    ($($trait:ident for $type:ident: $($method:ident)+;)*) => {$(
        impl $trait for $type {
            type Ok = Wire;
            type Error = WireError;

            $(compound!(@ $method);)+

            fn end(self) -> Result<Wire> {
                Ok(self.finish())
            }
        }
    )*};
    (@ serialize_element) => {
        fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
            self.push(value)
        }
    };
    (@ serialize_place) => {
        fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
            self.push(value)
        }
    };
    (@ serialize_field) => {
        fn serialize_field<T: Serialize + ?Sized>(
            &mut self,
            name: &'static str,
            value: &T,
        ) -> Result<()> {
            self.push(Wire::Raw(name.into()), value)
        }
    };
    (@ serialize_key) => {
        fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
            self.key = key.serialize(Encoder)?;
            Ok(())
        }
    };
    (@ serialize_value) => {
        fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
            let key = std::mem::replace(&mut self.key, Wire::Nil);
            self.push(key, value)
        }
    };
}

compound! {
    SerializeSeq for Items: serialize_element;
    SerializeTuple for Items: serialize_element;
    SerializeTupleStruct for Items: serialize_place;
    SerializeTupleVariant for Items: serialize_place;
    SerializeMap for Fields: serialize_key serialize_value;
    SerializeStruct for Fields: serialize_field;
    SerializeStructVariant for Fields: serialize_field;
}
