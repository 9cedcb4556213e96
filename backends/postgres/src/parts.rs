//! What is written in one statement: the server takes arguments of up to 1 GiB, and a call may change more.

use std::mem;

use ff_transactional::Changes;
use ff_transactional::records::Record;

use crate::statements::Locked;

/// Bytes of records after which another part begins.
const PART: usize = 8 << 20;

/// So many records are one part, whatever their size; most calls change no more.
const FEW: usize = 16;

/// The changes in parts, each with what is to be checked of its records; all else that is locked is checked
/// with the first.
pub(crate) fn parts(mut changes: Changes, mut locked: Locked) -> Vec<(Changes, Locked)> {
    let mut parts = Vec::new();
    if changes.records.len() > FEW {
        let mut part = Changes::default();
        let mut bytes = 0;
        for (key, write) in mem::take(&mut changes.records) {
            bytes += write.after.as_ref().map_or(0, size);
            part.records.insert(key, write);
            if bytes >= PART {
                bytes = 0;
                parts.push((mem::take(&mut part), Locked::new()));
            }
        }
        changes.records = part.records;
    }
    if parts.is_empty() {
        return vec![(changes, locked)];
    }
    if !changes.is_empty() {
        parts.push((changes, Locked::new()));
    }
    for (part, own) in &mut parts {
        for key in part.records.keys() {
            own.extend(locked.remove_entry(key));
        }
    }
    parts[0].1.append(&mut locked);
    parts
}

fn size(record: &Record) -> usize {
    let (fixed, changing) = record.pack().split();
    fixed.len() + changing.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test fails by panicking.

    use ff_core::types::ExecutionId;
    use ff_transactional::records::{Payload, Stored};
    use ff_transactional::{Before, Write};
    use uuid::Uuid;

    use super::*;

    fn changes(records: u32, bytes: usize) -> (Changes, Locked) {
        let (mut changes, mut locked) = (Changes::default(), Locked::new());
        for number in 0..records {
            let id = |number: u32| ExecutionId::from_parts(7, Uuid::from_u128(number.into()));
            let record = Payload { execution: id(number), bytes: vec![0; bytes].into() };
            locked.insert(record.key(), Some(number.into()));
            // Read and not written.
            locked.insert(Payload::at(&id(number + 1_000_000)).key().clone(), None);
            let write = Write { before: Before::Absent, after: Some(record.clone().into_record()) };
            changes.records.insert(record.key(), write);
        }
        (changes, locked)
    }

    #[test]
    fn few_records_are_one_part() {
        let (all, locked) = changes(16, 65_536 * 16);
        let parts = parts(all.clone(), locked.clone());
        assert_eq!(parts, [(all, locked)]);
    }

    #[test]
    fn parts_are_bounded_and_each_checks_its_own() {
        let (all, locked) = changes(1_000, 65_536);
        let parts = parts(all.clone(), locked.clone());
        // The record that fills a part is in it.
        assert_eq!(parts.len(), 1_000 / (PART / 65_536) + 1);
        let (mut together, mut checked) = (Changes::default(), Locked::new());
        for (at, (part, own)) in parts.into_iter().enumerate() {
            let of_part = |key: &_| part.records.contains_key(key);
            assert!(
                own.iter().all(|(key, version)| of_part(key) || (at == 0 && version.is_none()))
            );
            assert!(part.records.keys().all(|key| own.contains_key(key)));
            together.records.extend(part.records);
            checked.extend(own);
        }
        assert_eq!((together, checked), (all, locked));
    }
}
