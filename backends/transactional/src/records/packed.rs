//! How a record is stored: two `MessagePack` maps by the names of its fields, one of those that are
//! the same in all its versions and one of the others. What is `None` is left out.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// What is stored of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    pub fixed: Vec<u8>,
    pub changing: Vec<u8>,
}

/// Begins a map whose length follows in two bytes.
const MAP16: u8 = 0xde;
const HEADER: usize = 3;

/// How `None` is packed.
const NOTHING: &[u8] = &[0xc0];

impl Packed {
    /// One map of all fields.
    pub fn joined(&self) -> Vec<u8> {
        let mut bytes = header(length(&self.fixed) + length(&self.changing));
        for map in [&self.fixed, &self.changing] {
            bytes.extend_from_slice(map.get(HEADER..).unwrap_or_default());
        }
        bytes
    }

    /// Whatever does not decode is corruption, never a default.
    pub(super) fn unpack<R: DeserializeOwned>(
        &self,
        record: &'static str,
    ) -> Result<R, StoreError> {
        rmp_serde::from_slice(&self.joined())
            .map_err(|error| StoreError::Corrupt { record, detail: error.to_string() })
    }

    /// The maps of the fixed and of the changing fields.
    pub fn split(self) -> (Vec<u8>, Vec<u8>) {
        (self.fixed, self.changing)
    }

    /// What one map of all fields was made of.
    pub fn of_joined(bytes: Vec<u8>) -> Self {
        Self { fixed: bytes, changing: Vec::new() }
    }
}

fn header(length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    vec![MAP16, high, low]
}

/// How many fields a map says that it has.
fn length(map: &[u8]) -> u16 {
    match map {
        [_, high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

/// A map under construction.
pub(super) struct Packer {
    out: rmp_serde::Serializer<Vec<u8>, StructMap>,
    fields: u16,
}

impl Default for Packer {
    fn default() -> Self {
        let out = rmp_serde::Serializer::new(header(0)).with_struct_map();
        Self { out, fields: 0 }
    }
}

type StructMap = rmp_serde::config::StructMapConfig<rmp_serde::config::DefaultConfig>;

impl Packer {
    pub(super) fn field(mut self, name: &str, value: &impl Serialize) -> Self {
        let before = self.out.get_ref().len();
        let packed = name.serialize(&mut self.out);
        packed.expect("memory takes any text");
        let named = self.out.get_ref().len();
        let packed = value.serialize(&mut self.out);
        packed.expect("records are plain data, and memory takes it");
        if self.out.get_ref()[named..] == *NOTHING {
            self.out.get_mut().truncate(before);
        } else {
            self.fields += 1;
        }
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut bytes = self.out.into_inner();
        bytes[..HEADER].copy_from_slice(&header(self.fields));
        bytes
    }
}
