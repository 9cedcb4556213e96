//! Deviants of what is due.

mod ends;
mod left;
mod settling;
mod times;

use crate::deviants::fault::{Fault, due};

pub(in crate::deviants) fn without(method: &'static str) -> Fault {
    due(move |calls| calls.retain(|call| call.method().as_str() != method))
}
