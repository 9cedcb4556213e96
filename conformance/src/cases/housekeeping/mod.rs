//! What is due, and that seeing to it ends.

mod ends;
mod left;
mod settling;
mod times;
