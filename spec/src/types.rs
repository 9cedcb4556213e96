//! Identifiers, times and other scalar types.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::backend::Namespace;
use crate::partition::{PartitionConfig, execution_index_for_flow, execution_index_for_lane};
pub use crate::secrecy::WaitpointToken;

/// The largest integer that travels: 2^53 − 1 (SYS-029).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Longest lane name, in bytes.
pub const LANE_ID_MAX_BYTES: usize = 64;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Arbitrary,
        )]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "uuid::serde::hyphenated")] pub Uuid);

        impl $name {
            /// A random identifier.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::new_v4())
            }

            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub fn parse(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }

            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
    )*};
}

uuid_id! {
    /// One run of an execution.
    AttemptId;
    /// A budget.
    BudgetId;
    /// A dependency between two members of a flow.
    EdgeId;
    /// A flow.
    FlowId;
    /// One worker's hold on an execution.
    LeaseId;
    /// A quota policy.
    QuotaPolicyId;
    /// A signal.
    SignalId;
    /// A suspension.
    SuspensionId;
    /// A waitpoint.
    WaitpointId;
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Arbitrary,
        )]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )*};
}

text_id! {
    /// A queue of work: 1 to 64 bytes of printable ASCII. `new` takes any text, so that a backend
    /// can be shown to refuse a bad one; [`LaneId::try_new`] checks.
    LaneId;
    /// A logical worker, shared by the instances of a pool.
    WorkerId;
    /// One worker process.
    WorkerInstanceId;
}

/// Why a text is not a lane name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneIdError {
    #[error("a lane name is not empty")]
    Empty,
    #[error("byte {0} of the lane name is not printable ASCII")]
    NonPrintable(usize),
    #[error("the lane name has {0} bytes, at most {LANE_ID_MAX_BYTES} are allowed")]
    TooLong(usize),
}

impl LaneId {
    /// A lane name that every backend accepts.
    pub fn try_new(text: impl Into<String>) -> Result<Self, LaneIdError> {
        let lane = Self(text.into());
        lane.check()?;
        Ok(lane)
    }

    /// Whether this is a lane name that every backend accepts.
    pub fn check(&self) -> Result<(), LaneIdError> {
        if self.0.is_empty() {
            return Err(LaneIdError::Empty);
        }
        if self.0.len() > LANE_ID_MAX_BYTES {
            return Err(LaneIdError::TooLong(self.0.len()));
        }
        match self.0.bytes().position(|b| !(0x20..=0x7e).contains(&b)) {
            Some(at) => Err(LaneIdError::NonPrintable(at)),
            None => Ok(()),
        }
    }
}

/// An execution: `{fp:N}:` and a UUID in lower case, where N is its partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExecutionId(String);

/// Why a text is no execution id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionIdParseError {
    #[error("{0:?} does not start with `{{fp:N}}:`")]
    MissingTag(String),
    #[error("{0:?} is not a partition index")]
    InvalidPartitionIndex(String),
    #[error("{0:?} is not a UUID")]
    InvalidUuid(String),
}

impl ExecutionId {
    /// A random id in the partition of `flow`, so that it can become its member.
    pub fn for_flow(flow: &FlowId, config: &PartitionConfig) -> Self {
        Self::deterministic_for_flow(flow, config, Uuid::new_v4())
    }

    /// The id with this UUID in the partition of `flow`.
    pub fn deterministic_for_flow(flow: &FlowId, config: &PartitionConfig, uuid: Uuid) -> Self {
        Self::from_parts(execution_index_for_flow(flow, config), uuid)
    }

    /// A random id in the partition that `lane` maps to, for an execution without a flow.
    pub fn solo(lane: &LaneId, config: &PartitionConfig) -> Self {
        Self::deterministic_solo(lane, config, Uuid::new_v4())
    }

    /// The id with this UUID in the partition that `lane` maps to.
    pub fn deterministic_solo(lane: &LaneId, config: &PartitionConfig, uuid: Uuid) -> Self {
        Self::from_parts(execution_index_for_lane(lane, config), uuid)
    }

    /// The id of partition `index` with this UUID.
    pub fn from_parts(index: u16, uuid: Uuid) -> Self {
        Self(format!("{{fp:{index}}}:{uuid}"))
    }

    pub fn parse(text: &str) -> Result<Self, ExecutionIdParseError> {
        let missing = || ExecutionIdParseError::MissingTag(text.to_owned());
        let rest = text.strip_prefix("{fp:").ok_or_else(missing)?;
        let (index, uuid) = rest.split_once("}:").ok_or_else(missing)?;
        let index = crate::partition::parse_index(index)
            .ok_or_else(|| ExecutionIdParseError::InvalidPartitionIndex(index.to_owned()))?;
        let uuid = Uuid::parse_str(uuid)
            .map_err(|_| ExecutionIdParseError::InvalidUuid(uuid.to_owned()))?;
        Ok(Self::from_parts(index, uuid))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The index of the partition it lives in.
    pub fn partition(&self) -> u16 {
        self.parts().0
    }

    /// The UUID behind the partition tag.
    pub fn uuid(&self) -> Uuid {
        self.parts().1
    }

    fn parts(&self) -> (u16, Uuid) {
        let parsed = self.0.strip_prefix("{fp:").and_then(|rest| {
            let (index, uuid) = rest.split_once("}:")?;
            Some((index.parse().ok()?, Uuid::parse_str(uuid).ok()?))
        });
        parsed.expect("every constructor makes the same form")
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ExecutionId {
    type Err = ExecutionIdParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ExecutionId {
    type Error = ExecutionIdParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ExecutionId> for String {
    fn from(id: ExecutionId) -> Self {
        id.0
    }
}

impl<'a> Arbitrary<'a> for ExecutionId {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::from_parts(u.int_in_range(0..=255)?, Uuid::arbitrary(u)?))
    }
}

macro_rules! counter {
    ($($(#[$doc:meta])* $name:ident($int:ty);)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize,
            Deserialize, Arbitrary,
        )]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl $name {
            pub fn new(value: $int) -> Self {
                Self(value)
            }

            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

counter! {
    /// Which attempt of an execution, from 0 (ATT-001).
    AttemptIndex(u32);
    /// Which lease of an execution, from 1 (LSE-001).
    LeaseEpoch(u64);
}

/// Milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Arbitrary,
)]
#[serde(transparent)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// This host's time.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What proves that a caller still holds the lease: all three must match (LSE-001).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
pub struct LeaseFence {
    pub lease_id: LeaseId,
    pub lease_epoch: LeaseEpoch,
    pub attempt_id: AttemptId,
}

/// On whose authority a call acts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum CancelSource {
    /// The worker that holds the lease; it proves so with a fence.
    #[default]
    LeaseHolder,
    OperatorOverride,
    FlowCascade,
    SystemTimeout,
    /// Anything else, with the authority of a lease holder.
    Custom(String),
}

impl CancelSource {
    pub fn as_str(&self) -> &str {
        match self {
            Self::LeaseHolder => "lease_holder",
            Self::OperatorOverride => "operator_override",
            Self::FlowCascade => "flow_cascade",
            Self::SystemTimeout => "system_timeout",
            Self::Custom(text) => text,
        }
    }
}

impl FromStr for CancelSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known =
            [Self::LeaseHolder, Self::OperatorOverride, Self::FlowCascade, Self::SystemTimeout];
        Ok(known
            .into_iter()
            .find(|source| source.as_str() == text)
            .unwrap_or_else(|| Self::Custom(text.to_owned())))
    }
}
