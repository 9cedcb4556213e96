//! Handles: what a worker holds while it holds a lease.

use arbitrary::{Arbitrary, Unstructured};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine_error::{EngineError, ValidationKind};
use crate::intern::{admit, intern};
use crate::types::{AttemptIndex, ExecutionId, LaneId, LeaseFence, MAX_INTEGER, WorkerInstanceId};

/// The family of the backend that made a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendTag {
    Valkey,
    Postgres,
    Sqlite,
    Mock,
    /// A backend from outside, by the name it gives its family.
    Other(&'static str),
}

impl BackendTag {
    const KNOWN: [Self; 4] = [Self::Valkey, Self::Postgres, Self::Sqlite, Self::Mock];

    /// The family's name; equals `backend_label()` of its backends.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valkey => "valkey",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
            Self::Mock => "mock",
            Self::Other(name) => name,
        }
    }

    /// The tag of the family with this name.
    pub fn from_name(name: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|tag| tag.as_str() == name)
            .unwrap_or_else(|| Self::Other(intern(name)))
    }
}

impl Serialize for BackendTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BackendTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Self::KNOWN.into_iter().find(|tag| tag.as_str() == name);
        known
            .or_else(|| admit(&name).map(Self::Other))
            .ok_or_else(|| Error::custom("there is no room for one more family's name"))
    }
}

impl<'a> Arbitrary<'a> for BackendTag {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        u.choose(&Self::KNOWN).copied()
    }
}

/// How the lease behind a handle came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HandleKind {
    /// A new attempt.
    Fresh,
    /// A paused attempt, continued.
    Resumed,
    /// A new attempt after a lapsed lease.
    Reclaimed,
    /// No lease: the execution is suspended.
    Suspended,
}

/// The part of a handle that only its backend reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
#[serde(transparent)]
pub struct HandleOpaque(#[serde(with = "crate::octets::Octets")] Box<[u8]>);

impl HandleOpaque {
    pub fn new(bytes: Box<[u8]>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Names the lease that a worker holds; it works from any process of the deployment. It is no secret and no
/// authority: `describe_execution` shows what it takes to make one, so whoever can call the backend can act
/// under any lease. It protects workers from their own mistakes (LSE-001, LSE-017), not from each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, derive_new::new)]
#[non_exhaustive]
pub struct Handle {
    pub backend: BackendTag,
    pub kind: HandleKind,
    pub opaque: HandleOpaque,
}

/// What our backends put into a handle. A backend from outside is free to put anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct HandlePayload {
    pub execution_id: ExecutionId,
    pub fence: LeaseFence,
    pub attempt_index: AttemptIndex,
    /// Milliseconds that a renewal grants.
    pub lease_ttl_ms: u64,
    pub lane_id: LaneId,
    pub worker_instance_id: WorkerInstanceId,
}

impl HandlePayload {
    /// A handle of `backend` that carries this.
    pub fn seal(&self, backend: BackendTag, kind: HandleKind) -> Handle {
        let bytes = postcard::to_allocvec(&(backend.as_str(), self))
            .expect("plain data in memory always encodes");
        Handle::new(backend, kind, HandleOpaque::new(bytes.into_boxed_slice()))
    }

    /// Whether its numbers are such as a claim can give (SYS-029).
    fn is_possible(&self) -> bool {
        self.lease_ttl_ms.max(self.fence.lease_epoch.0) <= MAX_INTEGER
    }

    /// What a handle carries, if `backend` made it (SYS-025).
    pub fn open(backend: BackendTag, handle: &Handle) -> Result<Self, EngineError> {
        let foreign = |tag: &str| {
            let detail = format!("the handle belongs to {tag}, this is {}", backend.as_str());
            EngineError::validation(ValidationKind::HandleFromOtherBackend, detail)
        };
        if handle.backend != backend {
            return Err(foreign(handle.backend.as_str()));
        }
        let decoded = postcard::take_from_bytes::<(&str, Self)>(handle.opaque.as_bytes());
        match decoded {
            Ok(((tag, _), _)) if tag != backend.as_str() => Err(foreign(tag)),
            Ok(((_, payload), [])) if payload.is_possible() => Ok(payload),
            _ => Err(EngineError::validation(
                ValidationKind::Corruption,
                "the handle's payload cannot be decoded",
            )),
        }
    }
}
