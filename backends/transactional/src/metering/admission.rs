//! Admission under a quota policy: a sliding window for each dimension, and a cap for all of them.

use ff_core::contracts::{
    CheckAdmissionArgs, CheckAdmissionResult, ReleaseAdmissionArgs, ReleaseAdmissionResult,
};
use ff_core::partition::PartitionConfig;
use ff_core::types::{MAX_INTEGER, QuotaPolicyId, TimestampMs};
use uuid::Uuid;

use super::digest;
use crate::engine::Rule;
use crate::executions::later;
use crate::records::{Place, Quota, Slot, Window};
use crate::session::Session;
use crate::store::Tx;

/// How many places that have been left one admission removes on its way.
const SWEPT: usize = 2;

impl Window {
    /// Forgets up to so many places at its beginning that were taken up to then.
    pub(super) async fn leave<T: Tx>(
        &mut self,
        tx: &mut Session<T>,
        since: TimestampMs,
        most: usize,
    ) -> Rule<()> {
        let first = Place::KEY.of(&self.quota).and(&self.dimension).limit(most + 1);
        let mut places = tx.get(first).await?;
        let left = places.iter().take(most).take_while(|place| place.taken_at <= since).count();
        let rest = places.split_off(left);
        self.first += left as u64;
        self.oldest = rest.first().map_or(self.latest, |first| first.taken_at);
        tx.remove_all(places);
        Ok(())
    }
}

/// Admits the execution if there is room for it (QUO-007 to QUO-022).
pub(crate) async fn check<T: Tx>(
    tx: &mut Session<T>,
    partitions: &PartitionConfig,
    (id, dimension): (&QuotaPolicyId, &str),
    args: &CheckAdmissionArgs,
) -> Rule<CheckAdmissionResult> {
    let dimension = digest(if dimension.is_empty() { "default" } else { dimension });
    let (quota, window) = (Quota::named(id, partitions), Window::at(id, &dimension));
    let (quota, window, slot) = tx.lock((quota, window, Slot::at(id, &args.execution_id))).await?;
    let now = tx.now().await?;
    let mut ends = slot.map(|slot| slot.ends).unwrap_or_default();
    ends.retain(|_, end| *end > now);
    if ends.contains_key(&dimension) {
        return Ok(CheckAdmissionResult::AlreadyAdmitted);
    }
    let mut window = window.unwrap_or_else(|| Window {
        quota: *id,
        dimension: dimension.clone(),
        first: 0,
        next: 0,
        oldest: now,
        latest: now,
        longest: 0,
    });
    let window_ms = args.window_seconds * 1_000;
    if let Some(wait) = full_for(tx, &window, args.rate_limit, window_ms, now).await? {
        let retry_after_ms = wait + jitter(args.jitter_ms.unwrap_or(0));
        return Ok(CheckAdmissionResult::RateExceeded { retry_after_ms });
    }
    if is_at_cap(tx, id, args.concurrency_cap, !ends.is_empty(), now).await? {
        return Ok(CheckAdmissionResult::ConcurrencyExceeded);
    }
    if window_ms > 0 {
        take_place(tx, &mut window, window_ms, now).await?;
    }
    let lasts = if window_ms > 0 { window_ms } else { MAX_INTEGER };
    let end = later(now, lasts);
    let held_until = ends.values().fold(end, |last, end| last.max(*end));
    ends.insert(dimension, end);
    tx.put(&Slot { quota: *id, execution: args.execution_id.clone(), ends, held_until });
    // Whoever admits at the same time meets this one here.
    let mut quota = quota.unwrap_or_else(|| Quota::new(*id, partitions));
    quota.admission_count += 1;
    tx.put(&quota);
    Ok(CheckAdmissionResult::Admitted)
}

/// For how long the window has no room for another: as long as the place is taken that so many back was the last
/// to be taken (QUO-008, QUO-009).
async fn full_for<T: Tx>(
    tx: &mut Session<T>,
    window: &Window,
    rate_limit: u64,
    window_ms: u64,
    now: TimestampMs,
) -> Rule<Option<u64>> {
    let number = window.next.checked_sub(rate_limit).filter(|number| *number >= window.first);
    let Some(number) = number.filter(|_| rate_limit > 0) else {
        return Ok(None);
    };
    let place = Place::at(&window.quota, &window.dimension, &number.cast_signed());
    let place = tx.get(place).await?;
    let left = place.map(|place| later(place.taken_at, window_ms).0 - now.0);
    Ok(left.filter(|left| *left > 0).map(i64::unsigned_abs))
}

/// Takes the next place. The clock may have been set back; places are in the order of their times.
async fn take_place<T: Tx>(
    tx: &mut Session<T>,
    window: &mut Window,
    window_ms: u64,
    now: TimestampMs,
) -> Rule<()> {
    window.longest = window.longest.max(window_ms);
    window.latest = window.latest.max(now);
    let since = TimestampMs(now.0.saturating_sub_unsigned(window.longest));
    if window.oldest <= since {
        window.leave(tx, since, SWEPT).await?;
    }
    tx.put(&Place {
        quota: window.quota,
        dimension: window.dimension.clone(),
        number: window.next.cast_signed(),
        taken_at: window.latest,
    });
    window.next += 1;
    tx.put(window);
    Ok(())
}

/// Whether as many others are admitted as may be (QUO-011).
async fn is_at_cap<T: Tx>(
    tx: &mut Session<T>,
    id: &QuotaPolicyId,
    cap: u64,
    is_one_of_them: bool,
    now: TimestampMs,
) -> Rule<bool> {
    let cap = usize::try_from(cap).unwrap_or(usize::MAX);
    if cap == 0 {
        return Ok(false);
    }
    let held = Slot::HELD.of(id).after(Some(&now)).limit(cap.saturating_add(1));
    let count = tx.count(held).await?;
    Ok(count - usize::from(is_one_of_them) >= cap)
}

/// From 0 to this, at random (QUO-022).
fn jitter(most: u64) -> u64 {
    let (drawn, _) = Uuid::new_v4().as_u64_pair();
    drawn % (most + 1)
}

/// QUO-014, QUO-015.
pub(crate) async fn release<T: Tx>(
    tx: &mut Session<T>,
    args: &ReleaseAdmissionArgs,
) -> Rule<ReleaseAdmissionResult> {
    let slot = tx.lock(Slot::at(&args.quota_policy_id, &args.execution_id)).await?;
    tx.remove_all(slot.into_iter().collect());
    Ok(ReleaseAdmissionResult::Released)
}
