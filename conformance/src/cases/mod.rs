//! The cases, one directory a chapter, one file a topic. Each is registered where it is written.

mod events;
mod executions;
mod flows;
mod housekeeping;
mod layout;
mod metering;
mod suspension;
mod system;

pub use layout::check_layout;
