//! Taking a lease from its holder.

use ff_core::contracts::{RevokeLeaseArgs, RevokeLeaseResult};
use ff_core::state::OwnershipState;

use super::existing;
use crate::engine::Rule;
use crate::flows::tell_revoked;
use crate::session::Session;
use crate::store::Tx;

/// Ends the lease; its attempt stays open for whoever reclaims it (OPS-014, OPS-016 to OPS-018).
pub(crate) async fn revoke_lease<T: Tx>(
    tx: &mut Session<T>,
    args: &RevokeLeaseArgs,
) -> Rule<RevokeLeaseResult> {
    let mut execution = existing(tx, &args.execution_id).await?;
    let satisfied =
        |reason: &str| Ok(RevokeLeaseResult::AlreadySatisfied { reason: reason.to_owned() });
    let lease = match (execution.ownership, execution.lease.clone()) {
        (OwnershipState::LeaseRevoked, _) => return satisfied("already_revoked"),
        (OwnershipState::LeaseExpiredReclaimable, _) => return satisfied("already_expired"),
        (OwnershipState::Leased, Some(lease)) => lease,
        _ => return satisfied("no_active_lease"),
    };
    let instance = args.worker_instance_id.as_str();
    if !instance.is_empty() && instance != lease.worker_instance.as_str() {
        return satisfied("different_worker_instance_id");
    }
    let expected = args.expected_lease_id.as_deref().filter(|expected| !expected.is_empty());
    if expected.is_some_and(|expected| expected.parse() != Ok(lease.id)) {
        return satisfied("lease_id_mismatch");
    }
    let now = tx.now().await?;
    let revoked = RevokeLeaseResult::Revoked {
        lease_epoch: execution.epoch.to_string(),
        lease_id: lease.id.to_string(),
    };
    execution.revoke(&args.reason, now);
    tx.put(&execution);
    tell_revoked(tx, &execution, Some(lease), "operator", now);
    Ok(revoked)
}
