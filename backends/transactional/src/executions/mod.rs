//! The chapter of executions: creation, reads, claims, leases, attempts.

mod assignment;
mod attempts;
mod blocks;
mod cancel;
mod claims;
mod create;
mod expire;
mod expired;
mod fields;
mod filter;
mod grants;
mod leases;
mod lists;
mod progress;
mod reads;
mod reclaim;
mod reconcile;
mod redeem;
mod replay;
mod retention;
mod retries;
mod revoke;
mod scheduling;
mod state;
mod tags;
mod workers;

pub(crate) use assignment::{claim_for_worker, scan_eligible};
pub(crate) use attempts::{
    cancel, complete, complete_execution, delay, digest, end_attempt, wait_children,
};
pub(crate) use blocks::{block_for_admission, block_route, unblock};
pub(crate) use cancel::cancel_execution;
pub(crate) use claims::{begin, claim, mint_lease};
#[cfg(feature = "suite")]
pub(crate) use create::new_execution;
pub(crate) use create::{clamped, create, later, rank};
pub(crate) use expire::expire;
pub(crate) use expired::list_expired;
pub use expired::page as expired_leases_page;
pub(crate) use fields::read_core_fields;
pub(crate) use grants::{check as check_grant, issue_claim_grant, put_back};
pub(crate) use leases::{
    Held, Holder, emit, held, hold, mark_lease_expired_if_due, not_active, renew, renew_lease,
};
pub(crate) use lists::{list, list_lanes};
pub(crate) use progress::progress;
pub(crate) use reads::{
    current_attempt, describe, get_namespace, get_result, read_context, read_info, read_state,
    total_attempts,
};
pub use reclaim::reclaimed;
pub(crate) use reclaim::{issue_reclaim_grant, reclaim_execution};
pub(crate) use reconcile::reconcile;
pub use redeem::claimed;
pub(crate) use redeem::{claim_execution, had, issue_grant_and_claim};
pub(crate) use replay::replay;
pub use retention::by_parts;
pub(crate) use retention::{Trim, trim};
pub use retries::parse_retry_policy;
pub(crate) use retries::{fail, fail_execution};
pub(crate) use revoke::revoke_lease;
pub(crate) use scheduling::{change_priority, promote_delayed};
pub(crate) use state::Due;
pub(crate) use tags::{get_tag, set_tag};
pub(crate) use workers::{
    heartbeat, lift_routes, list as list_workers, mark_dead, place_of as worker_after, register,
};

use std::collections::BTreeMap;

use ff_core::engine_error::EngineError;
use ff_core::state::TerminalOutcome;
use ff_core::types::{ExecutionId, TimestampMs};

use crate::engine::Rule;
use crate::records::{CompletionRecord, Execution};
use crate::session::Session;
use crate::store::Tx;

/// The execution, or the refusal that changes get (SYS-016).
pub(crate) async fn existing<T: Tx>(tx: &mut Session<T>, id: &ExecutionId) -> Rule<Execution> {
    let execution = tx.lock(Execution::at(id)).await?;
    found(execution)
}

/// What was found, or that refusal.
pub(crate) fn found(execution: Option<Execution>) -> Rule<Execution> {
    Ok(execution.ok_or(EngineError::NotFound { entity: "execution" })?)
}

/// Ends an execution and tells the outbox.
pub(crate) fn end<T: Tx>(
    tx: &mut Session<T>,
    execution: &mut Execution,
    outcome: TerminalOutcome,
    now: TimestampMs,
) {
    execution.end(outcome, now);
    tx.put(execution);
    let completion = CompletionRecord {
        execution: execution.id.clone(),
        flow: execution.flow,
        namespace: execution.namespace.clone(),
        outcome,
        at: now,
        tags: BTreeMap::new(),
    };
    tx.append(completion);
}
