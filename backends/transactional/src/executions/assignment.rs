//! Finding work for a worker, and keeping it for that worker.

use ff_core::contracts::{ClaimForWorkerArgs, ClaimForWorkerOutcome, ClaimGrant, ScanEligibleArgs};
use ff_core::types::ExecutionId;

use super::create::later;
use super::grants::named;
use crate::engine::{Rule, Settings, Stop};
use crate::metering::exhausted;
use crate::page::MAX_PAGE;
use crate::records::{Execution, Grant};
use crate::session::Session;
use crate::store::{Queues, Tx};

/// What waits on a lane in a partition and is kept for nobody, in the order of claims (SCH-005, SCH-006, SCH-019).
pub(crate) async fn scan_eligible<T: Tx>(
    tx: &mut Session<T>,
    args: &ScanEligibleArgs,
) -> Rule<Vec<ExecutionId>> {
    let wanted = MAX_PAGE.min(args.limit as usize);
    let mut found: Vec<ExecutionId> = Vec::new();
    let mut last: Option<Execution> = None;
    while found.len() < wanted {
        let missing = wanted - found.len();
        let mut waiting = Execution::WAITING.of(&args.partition.index).and(&args.lane_id);
        if let Some(last) = &last {
            let (rank, age, _, id) = last.place();
            waiting = waiting.after(Some(&rank)).after(Some(&age)).after(Some(&id));
        }
        let next = tx.get(waiting.limit(missing)).await?;
        let now = tx.now().await?;
        let free = next.iter().filter(|execution| !execution.is_granted(now));
        found.extend(free.map(|execution| execution.id.clone()));
        if next.len() < missing {
            break;
        }
        last = next.into_iter().last();
    }
    Ok(found)
}

/// Keeps the first that the worker qualifies for, wherever it is (CLM-032 to CLM-036).
pub(crate) async fn claim_for_worker<T: Tx>(
    tx: &mut Session<T>,
    settings: Settings,
    args: &ClaimForWorkerArgs,
) -> Rule<ClaimForWorkerOutcome> {
    let first = tx.first_in(Queues::All, &args.lane_id, &args.worker_capabilities).await?;
    if tx.has_grant_run_out().await? {
        return Err(Stop::GrantRunOut);
    }
    let Some(mut execution) = first else {
        return Ok(ClaimForWorkerOutcome::NoWork);
    };
    if exhausted(tx, &settings.partitions, &execution).await?.is_some() {
        return Err(Stop::Denied(execution.id));
    }
    let expires_at = later(tx.now().await?, args.grant_ttl_ms);
    let holder = (&args.worker_id, &args.worker_instance_id);
    execution.grant = Some(Grant::new(holder, expires_at));
    tx.put(&execution);
    let ((home, key), until) = (named(&execution), expires_at.0.unsigned_abs());
    Ok(ClaimForWorkerOutcome::Granted(ClaimGrant::new(execution.id, home, key, until)))
}
