//! Rules that hold for every method.

mod arguments;
mod atomicity;
mod availability;
mod handles;
mod ids;
mod interactions;
mod repeated;
mod time;
