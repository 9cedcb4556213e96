//! The states of flows and groups.

use ff_core::contracts::{EdgeDependencyPolicy, EdgeGroupSnapshot, EdgeGroupState, FlowStatus};
use ff_core::types::{ExecutionId, FlowId, TimestampMs};

use crate::records::{EdgeGroup, Flow};

impl Flow {
    pub const OPEN: &'static str = "open";
    pub const CANCELLED: &'static str = "cancelled";

    pub fn is_open(&self) -> bool {
        self.public_flow_state == Self::OPEN
    }

    /// How it stands, for lists (FLW-017).
    pub(crate) fn status(&self) -> FlowStatus {
        if self.is_open() { FlowStatus::Active } else { FlowStatus::Cancelled }
    }

    pub(crate) fn touch(&mut self, now: TimestampMs) {
        self.last_mutation_at = self.last_mutation_at.max(now);
    }
}

impl EdgeGroup {
    /// No edge is applied, and all will have to be satisfied.
    pub(crate) fn new(flow: FlowId, downstream: ExecutionId) -> Self {
        Self {
            flow,
            downstream,
            policy: EdgeDependencyPolicy::AllOf,
            satisfied_count: 0,
            failed_count: 0,
            skipped_count: 0,
            running_count: 0,
            group_state: EdgeGroupState::Pending,
            pending_cancel: None,
            noted_at: None,
        }
    }

    pub(crate) fn total(&self) -> u32 {
        self.satisfied_count + self.failed_count + self.skipped_count + self.running_count
    }

    pub(crate) fn snapshot(&self) -> EdgeGroupSnapshot {
        EdgeGroupSnapshot::new(
            self.downstream.clone(),
            self.policy,
            self.total(),
            self.satisfied_count,
            self.failed_count,
            self.skipped_count,
            self.running_count,
            self.group_state,
        )
    }
}
