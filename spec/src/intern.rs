//! Names that arrive as data become the static names that the trait's types carry.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// The longest name that is taken from data, in bytes.
const LONGEST: usize = 64;

/// How many names a process keeps before it takes no more from data.
const MOST: usize = 4_096;

/// The static form of a name that the program makes. Each distinct name is kept for the life of the
/// process; there are as many as there are methods, backends and entities.
pub fn intern(name: &str) -> &'static str {
    keep(&mut names(), name)
}

/// The static form of a name that was read from data, if it is known or there is room for it: whoever
/// writes data could else fill the memory with names.
pub(crate) fn admit(name: &str) -> Option<&'static str> {
    let mut names = names();
    let known = names.get(name).copied();
    let has_room = name.len() <= LONGEST && names.len() < MOST;
    known.or_else(|| has_room.then(|| keep(&mut names, name)))
}

fn names() -> MutexGuard<'static, HashSet<&'static str>> {
    static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(names: &mut HashSet<&'static str>, name: &str) -> &'static str {
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(name);
    name
}
