//! What plays cases that are more than a function: scripts, repetitions, interruptions and generated calls.

pub(crate) mod generated;
pub(crate) mod listing;
mod samples;
mod script;
mod spoil;

pub(crate) use generated::Generated;
pub(crate) use listing::Listing;
pub(crate) use script::{
    Fixture, Line, Repetition, around_calls, call, interrupt_reads, pass, play, within,
};
pub(crate) use script::{fixture, meters, streams};
pub(crate) use spoil::leave_no_trace;
pub use spoil::{Spoiling, exceptional_places, named_places, samples_of_the_model};
