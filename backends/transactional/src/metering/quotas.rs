//! Quota policies.

use ff_core::contracts::{CreateQuotaPolicyArgs, CreateQuotaPolicyResult, QuotaPolicyLimits};
use ff_core::partition::{PartitionConfig, quota_partition};
use ff_core::types::QuotaPolicyId;

use crate::engine::Rule;
use crate::records::{At, Quota, QuotaLimits};
use crate::session::Session;
use crate::store::Tx;

impl Quota {
    pub(super) fn named(id: &QuotaPolicyId, partitions: &PartitionConfig) -> At<Self> {
        Self::at(&quota_partition(id, partitions).index, id)
    }

    /// Of which nothing is known.
    pub(super) fn new(id: QuotaPolicyId, partitions: &PartitionConfig) -> Self {
        let partition = quota_partition(&id, partitions).index;
        Self { partition, id, limits: None, admission_count: 0 }
    }
}

/// QUO-003.
pub(crate) async fn create<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    args: &CreateQuotaPolicyArgs,
) -> Rule<CreateQuotaPolicyResult> {
    let quota_policy_id = args.quota_policy_id;
    let known = tx.lock(Quota::named(&quota_policy_id, partitions)).await?;
    let mut quota = known.unwrap_or_else(|| Quota::new(quota_policy_id, partitions));
    if quota.limits.is_some() {
        return Ok(CreateQuotaPolicyResult::AlreadySatisfied { quota_policy_id });
    }
    quota.limits = Some(QuotaLimits {
        max_concurrent: args.max_concurrent,
        max_requests_per_window: args.max_requests_per_window,
        window_seconds: args.window_seconds,
    });
    tx.put(&quota);
    Ok(CreateQuotaPolicyResult::Created { quota_policy_id })
}

/// QUO-004, QUO-018.
pub(crate) async fn limits<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    id: &QuotaPolicyId,
) -> Rule<Option<QuotaPolicyLimits>> {
    let limits = tx.get(Quota::named(id, partitions)).await?.and_then(|quota| quota.limits);
    Ok(limits.map(|limits| {
        let (window, cap) = (limits.window_seconds, limits.max_concurrent);
        QuotaPolicyLimits::new(limits.max_requests_per_window, window, cap, 0)
    }))
}
