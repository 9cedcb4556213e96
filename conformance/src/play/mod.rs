//! What plays cases that are more than a function: scripts, repetitions, interruptions and generated calls.

pub(crate) mod generated;
mod script;

pub(crate) use generated::Generated;
pub(crate) use script::fixture;
pub(crate) use script::{
    Fixture, Line, Repetition, call, interrupt_reads, pass, play, repeated_and_interrupted, within,
};
