//! Rules that hold for every method.

mod arguments;
mod atomicity;
mod availability;
mod generated;
mod handles;
mod ids;
mod repeated;
mod time;
