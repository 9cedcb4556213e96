//! Deviants of suspension.

mod conditions;
mod keys;
mod resume;
mod signals;
mod suspend;
mod tokens;
mod waitpoints;
