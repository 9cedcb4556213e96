//! What is due, and that seeing to it comes to an end.

mod ends;
mod left;
mod settling;
mod times;
