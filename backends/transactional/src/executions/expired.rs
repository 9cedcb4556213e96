//! Leases that have run out, and nobody has taken over.

use ff_core::contracts::{
    ExpiredLeaseInfo, ExpiredLeasesCursor, LIST_EXPIRED_LEASES_DEFAULT_LIMIT,
    LIST_EXPIRED_LEASES_MAX_LIMIT, ListExpiredLeasesArgs, ListExpiredLeasesResult,
};

use crate::engine::Rule;
use crate::page::Page;
use crate::records::Execution;
use crate::session::Session;
use crate::store::Tx;

/// By the time at which they run out (LSE-033 to LSE-037).
pub(crate) async fn list_expired<T: Tx>(
    tx: &mut Session<T>,
    args: &ListExpiredLeasesArgs,
) -> Rule<ListExpiredLeasesResult> {
    let page = page(args);
    let (mut found, mut after) = (Vec::new(), args.after.clone());
    while found.len() < page.wanted() {
        let wanted = page.wanted() - found.len();
        let (at, id) = after.clone().map(|last| (last.expires_at_ms, last.execution_id)).unzip();
        let leases = Execution::LEASES.all().after(at.as_ref()).after(id.as_ref());
        let next = tx.get(leases.up_to(&args.as_of).limit(wanted)).await?;
        let is_last = next.len() < wanted;
        after = next.last().and_then(info).as_ref().map(place_of).or(after);
        let is_asked = |execution: &&Execution| {
            args.namespace.as_ref().is_none_or(|namespace| execution.namespace == *namespace)
        };
        found.extend(next.iter().filter(is_asked).filter_map(info));
        if is_last {
            break;
        }
    }
    Ok(page.of_leases(found))
}

/// The page that is asked for.
pub fn page(args: &ListExpiredLeasesArgs) -> Page {
    let limit = args.limit.unwrap_or(LIST_EXPIRED_LEASES_DEFAULT_LIMIT) as usize;
    Page::at_most(limit, LIST_EXPIRED_LEASES_MAX_LIMIT as usize)
}

impl Page {
    /// The page of the leases that were found.
    pub fn of_leases(self, found: Vec<ExpiredLeaseInfo>) -> ListExpiredLeasesResult {
        let (entries, next) = self.cut(found);
        ListExpiredLeasesResult::new(entries, next.as_ref().map(place_of))
    }
}

fn info(execution: &Execution) -> Option<ExpiredLeaseInfo> {
    let lease = execution.lease.as_ref()?;
    Some(ExpiredLeaseInfo::new(
        execution.id.clone(),
        lease.id,
        execution.epoch,
        lease.worker_instance.clone(),
        lease.expires_at,
        execution.attempt?.index,
    ))
}

/// Where a page goes on after this.
fn place_of(lease: &ExpiredLeaseInfo) -> ExpiredLeasesCursor {
    ExpiredLeasesCursor::new(lease.expires_at_ms, lease.execution_id.clone())
}
