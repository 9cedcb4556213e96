//! Deviants of suspension.

mod conditions;
mod keys;
mod resume;
mod resumed;
mod signals;
mod suspend;
mod tokens;
mod waitpoints;
