//! Waiting for signals: waitpoints, tokens, suspensions, signals, and the secrets that sign.

mod conditions;
mod keys;
mod oracle;
mod repeated;
mod resume;
mod resumed;
mod signals;
mod suspend;
mod tokens;
mod waitpoints;
