//! Where records live: every record belongs to one partition of its family.

use std::fmt;

use arbitrary::{Arbitrary, Unstructured};
use crc::{CRC_16_XMODEM, Crc};
use serde::{Deserialize, Serialize};

use crate::types::{BudgetId, ExecutionId, FlowId, LaneId, QuotaPolicyId};

/// How many partitions a deployment has in each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartitionConfig {
    pub num_flow_partitions: u16,
    pub num_budget_partitions: u16,
    pub num_quota_partitions: u16,
}

impl Default for PartitionConfig {
    fn default() -> Self {
        Self { num_flow_partitions: 256, num_budget_partitions: 32, num_quota_partitions: 32 }
    }
}

impl PartitionConfig {
    /// One partition in each family, for stores that need no spreading.
    pub fn single() -> Self {
        Self { num_flow_partitions: 1, num_budget_partitions: 1, num_quota_partitions: 1 }
    }

    pub fn count_for(&self, family: PartitionFamily) -> u16 {
        match family {
            PartitionFamily::Flow | PartitionFamily::Execution => self.num_flow_partitions,
            PartitionFamily::Budget => self.num_budget_partitions,
            PartitionFamily::Quota => self.num_quota_partitions,
        }
    }
}

/// What kind of record a partition holds. Flows and their executions share partitions, so those
/// two families name the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
#[serde(rename_all = "snake_case")]
pub enum PartitionFamily {
    Flow,
    Execution,
    Budget,
    Quota,
}

impl PartitionFamily {
    fn prefix(self) -> &'static str {
        match self {
            Self::Flow | Self::Execution => "fp",
            Self::Budget => "b",
            Self::Quota => "q",
        }
    }
}

/// One partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary)]
pub struct Partition {
    pub family: PartitionFamily,
    pub index: u16,
}

impl Partition {
    /// The tag that keeps the keys of a partition together: `{fp:7}`.
    pub fn hash_tag(&self) -> String {
        format!("{{{}:{}}}", self.family.prefix(), self.index)
    }
}

impl TryFrom<&PartitionKey> for Partition {
    type Error = PartitionKeyParseError;

    fn try_from(key: &PartitionKey) -> Result<Self, Self::Error> {
        key.parse()
    }
}

/// A partition as callers carry it: its hash tag, opaque to them. It may hold any text, so that
/// a backend can be shown to refuse a bad one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionKey(String);

/// Why a text is no partition key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionKeyParseError {
    #[error("a partition key stands in braces")]
    MissingBraces,
    #[error("a partition key is a prefix, a colon and an index")]
    MalformedBody,
    #[error("{0:?} names no family of partitions")]
    UnknownFamilyPrefix(String),
    #[error("{0:?} is not a partition index")]
    InvalidIndex(String),
}

impl PartitionKey {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition it names. Families that share partitions parse as `Flow`.
    pub fn parse(&self) -> Result<Partition, PartitionKeyParseError> {
        let body = self
            .0
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .ok_or(PartitionKeyParseError::MissingBraces)?;
        let (prefix, index) = body.split_once(':').ok_or(PartitionKeyParseError::MalformedBody)?;
        let family = match prefix {
            "fp" => PartitionFamily::Flow,
            "b" => PartitionFamily::Budget,
            "q" => PartitionFamily::Quota,
            other => {
                return Err(PartitionKeyParseError::UnknownFamilyPrefix(other.to_owned()));
            }
        };
        let index = parse_index(index)
            .ok_or_else(|| PartitionKeyParseError::InvalidIndex(index.to_owned()))?;
        Ok(Partition { family, index })
    }

    pub fn as_partition(&self) -> Result<Partition, PartitionKeyParseError> {
        self.parse()
    }
}

impl From<&Partition> for PartitionKey {
    fn from(partition: &Partition) -> Self {
        Self(partition.hash_tag())
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> Arbitrary<'a> for PartitionKey {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::from(&Partition::arbitrary(u)?))
    }
}

pub fn flow_partition(flow: &FlowId, config: &PartitionConfig) -> Partition {
    Partition {
        family: PartitionFamily::Flow,
        index: index_of(flow.as_bytes(), config.num_flow_partitions),
    }
}

pub fn execution_partition(execution: &ExecutionId, _config: &PartitionConfig) -> Partition {
    Partition { family: PartitionFamily::Execution, index: execution.partition() }
}

pub fn budget_partition(budget: &BudgetId, config: &PartitionConfig) -> Partition {
    Partition {
        family: PartitionFamily::Budget,
        index: index_of(budget.as_bytes(), config.num_budget_partitions),
    }
}

pub fn quota_partition(policy: &QuotaPolicyId, config: &PartitionConfig) -> Partition {
    Partition {
        family: PartitionFamily::Quota,
        index: index_of(policy.as_bytes(), config.num_quota_partitions),
    }
}

/// The partition of executions that belong to no flow.
pub fn solo_partition(lane: &LaneId, config: &PartitionConfig) -> Partition {
    Partition { family: PartitionFamily::Execution, index: execution_index_for_lane(lane, config) }
}

pub(crate) fn execution_index_for_flow(flow: &FlowId, config: &PartitionConfig) -> u16 {
    flow_partition(flow, config).index
}

pub(crate) fn execution_index_for_lane(lane: &LaneId, config: &PartitionConfig) -> u16 {
    index_of(lane.as_str().as_bytes(), config.num_flow_partitions)
}

/// Decimal, without sign or leading zeros, so that each index has one spelling.
pub(crate) fn parse_index(text: &str) -> Option<u16> {
    let index: u16 = text.parse().ok()?;
    (index.to_string() == text).then_some(index)
}

fn index_of(bytes: &[u8], partitions: u16) -> u16 {
    const XMODEM: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);
    XMODEM.checksum(bytes) % partitions.max(1)
}
