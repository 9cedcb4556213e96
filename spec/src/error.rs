//! What errors mean to a caller.

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The call will never succeed as it stands.
    Terminal,
    /// The same call may succeed later.
    Retryable,
    /// The work was taken away on purpose.
    Cooperative,
    /// The call had happened before.
    Informational,
    /// The engine is wrong.
    Bug,
    /// Part of normal operation.
    Expected,
    /// Worth knowing, no reason to stop.
    Advisory,
    /// A limit was passed that only warns.
    SoftError,
}
