//! What workers exchange with a backend: handles, claims, frames, suspensions.

mod claim;
mod filter;
mod flow;
mod handle;
mod stream;
mod suspension;
mod usage;

pub use claim::*;
pub use filter::*;
pub use flow::*;
pub use handle::*;
pub use stream::*;
pub use suspension::*;
pub use usage::*;
