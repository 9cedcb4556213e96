//! Names that arrive as data become the static names that the trait's types carry.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The static form of `name`. Each distinct name is kept for the life of the process; there are
/// as many as there are methods, backends and entities.
pub fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut guard = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = guard.get_or_insert_with(HashSet::new);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(name);
    name
}
