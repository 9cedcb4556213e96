//! What a generated sequence is made of.

use ff_core::backend::{BackendTag, Handle, HandleKind, HandleOpaque};
use ff_core::call::Call;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// One step of a sequence. Handles in its call are symbols, since a handle is known only
/// once a backend has made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Call(Call),
    /// Lets this many milliseconds pass.
    Advance(u64),
    /// Compares all that the trait shows.
    Observe,
    /// Compares what is due, and sees to it until nothing is.
    Settle,
}

/// Handles by the worker instance that claimed under them.
pub(crate) type Leases = OrdMap<String, Handle>;

/// The instance that holds a lease of another deployment, on an execution unknown to this one.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// What is done to a handle before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Disguise {
    /// Nothing.
    Lease,
    /// Its last byte is gone.
    CutLease,
    /// There is a byte too many.
    PaddedLease,
    /// It bears another backend's tag.
    ForeignLease,
}

/// A handle that stands for the lease which the claim of this instance got. A `kind` other than
/// `Fresh` replaces the handle's own.
pub(crate) fn lease_of(instance: &str, disguise: Disguise, kind: HandleKind) -> Handle {
    let opaque = HandleOpaque::new(instance.as_bytes().into());
    Handle::new(BackendTag::Other(disguise.into()), kind, opaque)
}

/// The instance and the disguise that a symbol stands for.
pub(crate) fn read_symbol(symbol: &Handle) -> Option<(String, Disguise)> {
    let disguise = symbol.backend.as_str().parse().ok()?;
    let instance = String::from_utf8(symbol.opaque.as_bytes().to_vec()).ok()?;
    Some((instance, disguise))
}

/// The call with a real handle for its symbol; `None` if there is no such lease.
pub(crate) fn with_handles(call: &Call, leases: &Leases) -> Option<Call> {
    let mut call = call.clone();
    if let Some(handle) = call.handle_mut() {
        let (instance, disguise) = read_symbol(handle)?;
        let kind = handle.kind;
        *handle = disguised(leases.get(&instance)?, disguise);
        if kind != HandleKind::Fresh {
            handle.kind = kind;
        }
    }
    Some(call)
}

fn disguised(handle: &Handle, disguise: Disguise) -> Handle {
    let bytes = handle.opaque.as_bytes();
    let with_bytes = |bytes: &[u8]| {
        let opaque = HandleOpaque::new(bytes.into());
        Handle::new(handle.backend, handle.kind, opaque)
    };
    match disguise {
        Disguise::Lease => handle.clone(),
        Disguise::CutLease => with_bytes(&bytes[..bytes.len().saturating_sub(1)]),
        Disguise::PaddedLease => with_bytes(&[bytes, &[0]].concat()),
        Disguise::ForeignLease => {
            let mut foreign = handle.clone();
            foreign.backend = BackendTag::Other("another-family");
            foreign
        }
    }
}
