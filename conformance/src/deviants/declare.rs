//! How a deviant is declared: an item of its own, one line where it can be.

use super::fault::Fault;

/// A backend that is wrong in one respect.
#[derive(Clone, Copy)]
pub struct Deviant {
    pub name: &'static str,
    /// The id of the clause it breaks.
    pub breaks: &'static str,
    /// How.
    pub how: &'static str,
    pub(crate) make: fn() -> Fault,
}

/// A deviant in one place of the source.
pub(crate) struct Declared {
    pub(crate) module: &'static str,
    pub(crate) line: u32,
    /// With `_` for `-` in the clause's id.
    pub(crate) deviant: Deviant,
}

inventory::collect!(Declared);

/// Name, clause, how, and the fault that it has.
macro_rules! deviant {
    ($name:literal, $clause:ident, $how:literal => $fault:expr) => {
        inventory::submit! {
            $crate::deviants::declare::Declared {
                module: module_path!(),
                line: line!(),
                deviant: $crate::deviants::declare::Deviant {
                    name: $name,
                    breaks: stringify!($clause),
                    how: $how,
                    make: || $fault,
                },
            }
        }
    };
}

/// Changes the replies that look like this.
macro_rules! reply {
    ($name:literal, $clause:ident, $how:literal, $reply:pat $(if $holds:expr)? => $change:expr) => {
        $crate::deviants::declare::deviant!($name, $clause, $how => {
            #[allow(unused_imports, clippy::enum_glob_use)]
            use ff_core::call::Reply::*;
            $crate::deviants::fault::answer(|_, answer| {
                if let Ok($reply) = answer $(&& $holds)? {
                    $change;
                }
            })
        });
    };
}

/// Changes the calls that look like this before the model sees them.
macro_rules! request {
    ($name:literal, $clause:ident, $how:literal, $call:pat $(if $holds:expr)? => $change:expr) => {
        $crate::deviants::declare::deviant!($name, $clause, $how => {
            #[allow(unused_imports, clippy::enum_glob_use)]
            use ff_core::call::Call::*;
            $crate::deviants::fault::call(|call| {
                if let $call = call $(&& $holds)? {
                    $change;
                }
            })
        });
    };
}

/// Answers calls with the help of the model.
macro_rules! around {
    ($name:literal, $clause:ident, $how:literal, |$subject:ident, $call:pat_param| $answer:block) => {
        $crate::deviants::declare::deviant!($name, $clause, $how => {
            $crate::deviants::fault::around(|$subject, $call| Box::pin(async move $answer))
        });
    };
}

pub(crate) use {around, deviant, reply, request};
