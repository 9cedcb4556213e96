//! Which lease and which partition, and whom a page or a scanner looks at.

use std::fmt::Display;

use ff_core::backend::{Handle, HandleKind, HandlePayload, Namespace, ScannerFilter};
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey, flow_partition};
use ff_core::types::{ExecutionId, FlowId};

use super::Check;
use super::values::{integer, optional_text, text};
use crate::engine::Settings;
use crate::page::partition_of;

/// A handle of this backend that stands for a lease (SYS-025, SYS-026, SYS-030).
pub(super) fn open(settings: &Settings, handle: &Handle) -> Check {
    HandlePayload::open(settings.tag, handle)?;
    match handle.kind {
        HandleKind::Suspended => Err(EngineError::State(StateKind::AlreadySuspended)),
        _ => Ok(()),
    }
}

/// A partition of this deployment that holds executions and flows.
pub(super) fn partition_here(
    settings: &Settings,
    key: &PartitionKey,
) -> Result<Partition, EngineError> {
    let partition = partition_of(key)?;
    holds_executions(settings, partition).map(|()| partition)
}

/// Whether the partition is of this deployment, and of the family that flows and executions share.
pub(super) fn holds_executions(settings: &Settings, partition: Partition) -> Check {
    let family = match partition.family {
        PartitionFamily::Execution => PartitionFamily::Execution,
        _ => PartitionFamily::Flow,
    };
    is_of(settings, partition, family)
}

/// Whether the partition is of this deployment, and of this family.
pub(super) fn is_of(settings: &Settings, partition: Partition, family: PartitionFamily) -> Check {
    let tag = partition.hash_tag();
    if partition.family != family {
        return Err(EngineError::invalid_input(format!("{tag} is of another family")));
    }
    let count = settings.partitions.count_for(family);
    if partition.index < count {
        return Ok(());
    }
    let detail = format!("{tag} is beyond the {count} partitions of this deployment");
    Err(EngineError::invalid_input(detail))
}

pub(super) fn scanner_filter(filter: &ScannerFilter) -> Check {
    optional_text("namespace", filter.namespace.as_ref().map(Namespace::as_str))?;
    match &filter.instance_tag {
        Some((key, value)) => {
            validate_tag_key(key)?;
            text("tag value", value)
        }
        None => Ok(()),
    }
}

fn is_of_flows(partition: Partition) -> bool {
    matches!(partition.family, PartitionFamily::Flow | PartitionFamily::Execution)
}

/// The arguments of `Housekeeping::due` (HSK-001).
pub fn housekeeping(settings: &Settings, key: &PartitionKey, limit: usize) -> Check {
    let partition = partition_of(key)?;
    is_of(settings, partition, partition.family)?;
    integer("limit", limit as u64)
}

pub(super) fn list_executions(
    settings: &Settings,
    key: &PartitionKey,
    cursor: Option<&ExecutionId>,
) -> Check {
    let partition = partition_here(settings, key)?;
    match cursor {
        Some(cursor) => same_partition(partition, cursor),
        None => Ok(()),
    }
}

pub(super) fn list_flows(
    settings: &Settings,
    key: &PartitionKey,
    cursor: Option<&FlowId>,
) -> Check {
    let partition = partition_here(settings, key)?;
    let home = |flow: &FlowId| flow_partition(flow, &settings.partitions).index;
    match cursor {
        Some(cursor) if home(cursor) != partition.index => {
            Err(EngineError::invalid_input(format!("{cursor} does not live in {key}")))
        }
        _ => Ok(()),
    }
}

/// SYS-020.
pub(super) fn same_partition(partition: Partition, execution: &ExecutionId) -> Check {
    lives_in(partition, execution.partition(), execution)
}

/// FLW-007.
pub(super) fn home_of(settings: &Settings, partition: Partition, flow: &FlowId) -> Check {
    let home = flow_partition(flow, &settings.partitions).index;
    lives_in(partition, home, flow)
}

fn lives_in(partition: Partition, home: u16, record: &impl Display) -> Check {
    if is_of_flows(partition) && partition.index == home {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{record} does not live in {}", partition.hash_tag())))
}
