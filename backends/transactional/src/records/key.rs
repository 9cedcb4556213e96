//! How records are named and found: keys, ranges of indexes, and the bytes that order both.

use std::marker::PhantomData;

use super::schema::{Indexed, Part};
use super::{Kind, Record, Stored};

/// Names one record, whether it is there or not. Keys sort in the order in which records are locked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub kind: Kind,
    pub parts: Vec<Part>,
}

/// The key of a record of this type.
#[derive(Clone, Debug)]
pub struct At<R> {
    pub(crate) key: Key,
    record: PhantomData<fn() -> R>,
}

impl<R: Stored> At<R> {
    pub(super) fn new(parts: Vec<Part>) -> Self {
        let key = Key { kind: R::KIND, parts };
        Self { key, record: PhantomData }
    }

    pub fn key(&self) -> &Key {
        &self.key
    }
}

/// Some entries of an index, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub kind: Kind,
    /// Which of the kind's indexes.
    pub index: usize,
    /// What the entries begin with.
    pub prefix: Vec<Part>,
    /// Entries come after all that go on like this behind the prefix; empty is no bound.
    pub after: Vec<Part>,
    /// The part behind the prefix is at most this.
    pub up_to: Option<Part>,
    /// How many at most.
    pub limit: Option<usize>,
}

impl Range {
    /// Whether an entry lies in it.
    pub fn contains(&self, entry: &[Part]) -> bool {
        let Some(rest) = entry.strip_prefix(&*self.prefix) else {
            return false;
        };
        let bound = self.after.len();
        rest.get(..bound).is_some_and(|next| bound == 0 || next > &*self.after)
            && self.up_to.as_ref().is_none_or(|last| rest.first() <= Some(last))
    }
}

/// Records of one type, by an index.
#[derive(Clone, Debug)]
pub struct Scan<R> {
    pub(crate) range: Range,
    record: PhantomData<fn() -> R>,
}

impl<R: Stored> Scan<R> {
    /// Only entries that go on with this value.
    #[must_use]
    pub fn and(mut self, value: &impl Indexed) -> Self {
        value.parts(&mut self.range.prefix);
        self
    }

    /// Only entries after those that go on with this value, if one is given.
    #[must_use]
    pub fn after(mut self, cursor: Option<&impl Indexed>) -> Self {
        if let Some(cursor) = cursor {
            cursor.parts(&mut self.range.after);
        }
        self
    }

    /// Only entries that go on with this value or a smaller one.
    #[must_use]
    pub fn up_to(mut self, last: &impl Indexed) -> Self {
        let mut parts = Vec::new();
        last.parts(&mut parts);
        self.range.up_to = parts.pop();
        self
    }

    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.range.limit = Some(limit);
        self
    }

    pub fn range(&self) -> &Range {
        &self.range
    }
}

/// An order in which records of a type can be read.
pub struct Index<R>(usize, PhantomData<fn() -> R>);

impl<R: Stored> Index<R> {
    pub(super) const fn new(place: usize) -> Self {
        Self(place, PhantomData)
    }

    /// Which of the kind's indexes it is.
    pub const fn place(&self) -> usize {
        self.0
    }

    /// All its entries.
    pub fn all(&self) -> Scan<R> {
        let range = Range {
            kind: R::KIND,
            index: self.0,
            prefix: Vec::new(),
            after: Vec::new(),
            up_to: None,
            limit: None,
        };
        Scan { range, record: PhantomData }
    }

    /// The entries that begin with this value.
    pub fn of(&self, value: &impl Indexed) -> Scan<R> {
        self.all().and(value)
    }
}

/// Bytes for ordered key-value storages: they compare as the keys and entries do.
pub mod ordered {
    use std::ops::Bound;

    use super::{Key, Kind, Part, Range, Record};

    /// What a record is stored under.
    pub fn key(key: &Key) -> Vec<u8> {
        let mut bytes = of(key.kind, 0);
        append(&mut bytes, &key.parts);
        bytes
    }

    /// The record's entries in the indexes of its kind, but for the first, which is the key.
    pub fn entries(record: &Record) -> Vec<Vec<u8>> {
        let key = record.key();
        let others = 1..key.kind.schema().indexes.len();
        others
            .filter_map(|index| {
                let mut bytes = of(key.kind, index);
                append(&mut bytes, &record.entry(index)?);
                Some(bytes)
            })
            .collect()
    }

    /// Where the entries of a range lie.
    pub fn bounds(range: &Range) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let mut prefix = of(range.kind, range.index);
        append(&mut prefix, &range.prefix);
        let mut first = prefix.clone();
        append(&mut first, &range.after);
        if !range.after.is_empty() {
            first = behind(first);
        }
        let mut last = prefix;
        append(&mut last, range.up_to.as_slice());
        (Bound::Included(first), Bound::Excluded(behind(last)))
    }

    fn of(kind: Kind, index: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        // There are not a hundred of either.
        bytes.extend([kind as u8, u8::try_from(index).unwrap_or(u8::MAX)]);
        bytes
    }

    /// The first bytes behind all that begin like these.
    fn behind(mut bytes: Vec<u8>) -> Vec<u8> {
        while let Some(last) = bytes.pop() {
            if last < u8::MAX {
                bytes.push(last + 1);
                break;
            }
        }
        bytes
    }

    fn append(bytes: &mut Vec<u8>, parts: &[Part]) {
        const SIGN: u64 = 1 << 63;
        for part in parts {
            match part {
                Part::Integer(number) => {
                    let shifted = number.cast_unsigned() ^ SIGN;
                    bytes.extend_from_slice(&shifted.to_be_bytes());
                }
                Part::Uuid(uuid) => bytes.extend_from_slice(uuid.as_bytes()),
                // The end must sort before every continuation, zero bytes included.
                Part::Text(text) => {
                    for byte in text.bytes() {
                        bytes.push(byte);
                        if byte == 0 {
                            bytes.push(u8::MAX);
                        }
                    }
                    bytes.extend_from_slice(&[0, 0]);
                }
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use proptest::prelude::*;
        use uuid::Uuid;

        use super::*;

        fn parts() -> impl Strategy<Value = Vec<Part>> {
            let text = prop_oneof![Just(String::new()), "[\\x00\\x01ab]{1,4}", "\\PC{1,3}"];
            (any::<i64>(), text, any::<u128>()).prop_map(|(number, text, uuid)| {
                vec![Part::Text(text), Part::Integer(number), Part::Uuid(Uuid::from_u128(uuid))]
            })
        }

        proptest! {
            #[test]
            fn bytes_compare_as_parts_do(one in parts(), other in parts()) {
                let bytes = |parts: &[Part]| {
                    let mut bytes = Vec::new();
                    append(&mut bytes, parts);
                    bytes
                };
                prop_assert_eq!(bytes(&one).cmp(&bytes(&other)), one.cmp(&other));
            }
        }
    }
}
