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
    /// Where it is declared.
    pub module: &'static str,
    pub(crate) make: fn() -> Fault,
}

/// A deviant in one place of the source.
pub(crate) struct Declared {
    pub(crate) line: u32,
    /// With `_` for `-` in the clause's id.
    pub(crate) deviant: Deviant,
}

inventory::collect!(Declared);

/// Name, clause, how, and the fault that it has.
macro_rules! deviant {
    ($name:expr, $clause:ident, $how:literal => $fault:expr) => {
        inventory::submit! {
            $crate::deviants::declare::Declared {
                line: line!(),
                deviant: $crate::deviants::declare::Deviant {
                    name: $name,
                    breaks: stringify!($clause),
                    how: $how,
                    module: module_path!(),
                    make: || $fault,
                },
            }
        }
    };
}

/// Changes the replies that look like this.
macro_rules! reply {
    ($name:expr, $clause:ident, $how:literal, $reply:pat $(if $holds:expr)? => $change:expr) => {
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
    ($name:expr, $clause:ident, $how:literal, $call:pat $(if $holds:expr)? => $change:expr) => {
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

/// What can be wrong with any list: of what, the method, its entries, the cursor of one, and the clauses on
/// order, limits, the ceiling and pages while others write.
macro_rules! list {
    ($what:literal, $method:ident, $entries:ident, $cursor:expr, [$order:ident, $limits:ident, $ceiling:ident, $growth:ident]) => {
        $crate::deviants::declare::reply!(concat!($what, "-descending"), $order, "Lists in descending order.",
            $method(page) => page.$entries.reverse());
        $crate::deviants::declare::reply!(concat!($what, "-always-more"), $order, "Gives a cursor with every page.",
            $method(page) => page.next_cursor = page.$entries.last().map($cursor));
        $crate::deviants::declare::reply!(concat!($what, "-with-gaps"), $order,
            "Leaves out the last entry of a page that another follows.",
            $method(page) if page.next_cursor.is_some() => page.$entries.pop());
        $crate::deviants::declare::request!(concat!($what, "-without-limit"), $limits, "Takes a limit of 0 for none.",
            $method { limit, .. } if *limit == 0 => *limit = 1_000);
        $crate::deviants::declare::reply!(concat!($what, "-end-after-a-page"), $ceiling,
            "Says that no page follows one of a thousand.",
            $method(page) if page.$entries.len() == 1_000 => page.next_cursor = None);
        $crate::deviants::declare::deviant!(concat!($what, "-by-number"), $growth,
            "Takes a cursor for the number of entries before it." =>
            $crate::deviants::fault::pages_by_number(ff_core::call::Method::$method));
    };
}

pub(crate) use {around, deviant, list, reply, request};
