//! The registry of workers. It decides nothing about leases, and no claim needs it.

use ff_core::backend::Namespace;
use ff_core::contracts::{
    HeartbeatWorkerArgs, HeartbeatWorkerOutcome, ListWorkersArgs, ListWorkersResult,
    MarkWorkerDeadArgs, MarkWorkerDeadOutcome, RegisterWorkerArgs, RegisterWorkerOutcome,
    WorkerInfo,
};
use ff_core::engine_error::EngineError;
use ff_core::types::{TimestampMs, WorkerInstanceId};

use super::later;
use crate::engine::Rule;
use crate::page::Page;
use crate::records::{Execution, Registration};
use crate::requirements;
use crate::session::Session;
use crate::store::Tx;

/// Entries of a page when no limit is given, and the most that one has (WRK-011).
const PAGES: (usize, usize) = (1_000, 10_000);

/// How many registrations that are over one call removes on its way.
const SWEPT: usize = 16;

/// How many executions are unblocked by one transaction.
const LIFTED: usize = 128;

impl Registration {
    fn is_live(&self, now: TimestampMs) -> bool {
        self.expires_at > now
    }

    fn sign_of_life(&mut self, now: TimestampMs) {
        self.last_heartbeat_at = now;
        self.expires_at = later(now, self.liveness_ttl_ms);
    }
}

/// WRK-001, WRK-004, WRK-006.
pub(crate) async fn register<T: Tx>(
    tx: &mut Session<T>,
    args: &RegisterWorkerArgs,
) -> Rule<RegisterWorkerOutcome> {
    let at = Registration::at(&args.namespace, &args.worker_instance_id);
    let known = tx.lock(at).await?;
    let now = tx.now().await?;
    let live = known.filter(|known| known.is_live(now));
    if live.as_ref().is_some_and(|live| live.worker != args.worker_id) {
        return Err(EngineError::invalid_input("instance_id reassigned").into());
    }
    let mut registration = Registration {
        namespace: args.namespace.clone(),
        instance: args.worker_instance_id.clone(),
        worker: args.worker_id.clone(),
        lanes: args.lanes.clone(),
        capabilities: args.capabilities.clone(),
        liveness_ttl_ms: args.liveness_ttl_ms,
        registered_at: live.as_ref().map_or(now, |live| live.registered_at),
        last_heartbeat_at: now,
        expires_at: now,
    };
    registration.sign_of_life(now);
    sweep(tx, now).await?;
    tx.put(&registration);
    Ok(match live {
        Some(_) => RegisterWorkerOutcome::Refreshed,
        None => RegisterWorkerOutcome::Registered,
    })
}

/// Registrations that are over take no place for ever.
async fn sweep<T: Tx>(tx: &mut Session<T>, now: TimestampMs) -> Rule<()> {
    for over in tx.lock(Registration::EXPIRING.all().up_to(&now).limit(SWEPT)).await? {
        tx.remove(Registration::at(&over.namespace, &over.instance));
    }
    Ok(())
}

/// WRK-003.
pub(crate) async fn heartbeat<T: Tx>(
    tx: &mut Session<T>,
    args: &HeartbeatWorkerArgs,
) -> Rule<HeartbeatWorkerOutcome> {
    let known = tx.lock(Registration::at(&args.namespace, &args.worker_instance_id)).await?;
    let now = tx.now().await?;
    let Some(mut live) = known.filter(|known| known.is_live(now)) else {
        return Ok(HeartbeatWorkerOutcome::NotRegistered);
    };
    live.sign_of_life(now);
    tx.put(&live);
    Ok(HeartbeatWorkerOutcome::Refreshed { next_expiry_ms: live.expires_at })
}

/// WRK-007.
pub(crate) async fn mark_dead<T: Tx>(
    tx: &mut Session<T>,
    args: &MarkWorkerDeadArgs,
) -> Rule<MarkWorkerDeadOutcome> {
    let (namespace, instance) = (&args.namespace, &args.worker_instance_id);
    let known = tx.lock(Registration::at(namespace, instance)).await?;
    let now = tx.now().await?;
    if !known.is_some_and(|known| known.is_live(now)) {
        return Ok(MarkWorkerDeadOutcome::NotRegistered);
    }
    tx.remove(Registration::at(namespace, instance));
    Ok(MarkWorkerDeadOutcome::Marked)
}

/// Lifts the route blocks that are there for want of this worker (WRK-014); whether there may be more.
pub(crate) async fn lift_routes<T: Tx>(
    tx: &mut Session<T>,
    namespace: &Namespace,
    instance: &WorkerInstanceId,
) -> Rule<bool> {
    let Some(worker) = tx.get(Registration::at(namespace, instance)).await? else {
        return Ok(false);
    };
    let now = tx.now().await?;
    let mut left = LIFTED;
    for lane in &worker.lanes {
        let mut seen: Option<String> = None;
        loop {
            // Jumps from one set to the next.
            let next = Execution::ROUTED.of(lane).after(seen.as_ref()).limit(1);
            let Some(first) = tx.get(next).await?.into_iter().next() else {
                break;
            };
            let set = requirements::digest(&first.requirements);
            if first.requirements.is_subset(&worker.capabilities) {
                let blocked = Execution::ROUTED.of(lane).and(&set).limit(left);
                for mut execution in tx.lock(blocked).await? {
                    execution.make_eligible(now);
                    tx.put(&execution);
                    left -= 1;
                }
                if left == 0 {
                    return Ok(true);
                }
            }
            seen = Some(set);
        }
    }
    Ok(false)
}

/// WRK-005, WRK-009 to WRK-012.
pub(crate) async fn list<T: Tx>(
    tx: &mut Session<T>,
    args: &ListWorkersArgs,
) -> Rule<ListWorkersResult> {
    let (default, most) = PAGES;
    let page = Page::at_most(args.limit.map_or(default, |limit| limit as usize), most);
    let now = tx.now().await?;
    let (mut found, mut after) = (Vec::new(), None);
    if let Some(cursor) = &args.after {
        after = Some(match &args.namespace {
            Some(namespace) => (namespace.clone(), cursor.clone()),
            None => place_of(cursor)?,
        });
    }
    while found.len() < page.wanted() {
        let (seen, instance) = after.clone().unzip();
        let all = if let Some(namespace) = &args.namespace {
            Registration::KEY.of(namespace)
        } else {
            Registration::KEY.all().after(seen.as_ref())
        };
        let all = all.after(instance.as_ref());
        let wanted = page.wanted() - found.len();
        let next = tx.get(all.limit(wanted)).await?;
        let is_last = next.len() < wanted;
        after = next.last().map(|last| (last.namespace.clone(), last.instance.clone())).or(after);
        found.extend(next.into_iter().filter(|known| known.is_live(now)));
        if is_last {
            break;
        }
    }
    let (entries, next) = page.cut(found);
    let cursor = next.map(|last| match args.namespace {
        Some(_) => last.instance,
        None => cursor_of(&last.namespace, &last.instance),
    });
    Ok(ListWorkersResult::new(entries.into_iter().map(info).collect(), cursor))
}

fn info(registration: Registration) -> WorkerInfo {
    WorkerInfo::new(
        registration.worker,
        registration.instance,
        registration.namespace,
        registration.lanes,
        registration.capabilities,
        registration.last_heartbeat_at,
        registration.liveness_ttl_ms,
        registration.registered_at,
    )
}

/// A place in the list of all namespaces: the length of the namespace, then both names.
fn cursor_of(namespace: &Namespace, instance: &WorkerInstanceId) -> WorkerInstanceId {
    let (namespace, instance) = (namespace.as_str(), instance.as_str());
    WorkerInstanceId::new(format!("{}:{namespace}{instance}", namespace.len()))
}

/// What such a cursor stands for (WRK-012).
pub(crate) fn place_of(
    cursor: &WorkerInstanceId,
) -> Result<(Namespace, WorkerInstanceId), EngineError> {
    let parsed = || {
        let (length, names) = cursor.as_str().split_once(':')?;
        let length: usize = length.parse().ok()?;
        let (namespace, instance) = names.split_at_checked(length)?;
        Some((Namespace::new(namespace), WorkerInstanceId::new(instance)))
    };
    parsed().ok_or_else(|| EngineError::invalid_input(format!("no page ended at {cursor}")))
}
