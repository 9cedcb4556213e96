//! Claims that wait for work.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_core::engine_error::EngineError;
use ff_core::types::LaneId;
use tokio::sync::{Notify, OwnedMutexGuard};

/// After what time who waits looks although nothing has woken it: at first, and at last, when it has looked
/// in vain for long.
pub(crate) const LOOK_AGAIN: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// The claims of one backend that wait. A claim is woken by work that has come to its lane, as far as
/// this backend hears of it; one claim of each group looks by itself, at ever longer intervals.
#[derive(Default)]
pub struct WaitingClaims {
    lanes: Mutex<HashMap<LaneId, Lane>>,
}

/// The groups of a lane: claims that offer the same can take each other's work.
type Lane = HashMap<BTreeSet<String>, Arc<Group>>;

#[derive(Default)]
struct Group {
    work: Notify,
    /// Held by the claim that looks by itself: when it does so next.
    watch: Arc<tokio::sync::Mutex<Duration>>,
}

impl WaitingClaims {
    /// Tells that one more execution of the lane can be claimed.
    pub fn wake(&self, lane: &LaneId) {
        for group in self.lanes().get(lane).into_iter().flat_map(Lane::values) {
            group.work.notify_one();
        }
    }

    /// Whether claims wait on this lane.
    pub fn any_on(&self, lane: &LaneId) -> bool {
        self.lanes().contains_key(lane)
    }

    /// Waits for word of work on this lane, and looks for none by itself: for tests of how word travels.
    #[doc(hidden)]
    pub async fn told(&self, lane: &LaneId) {
        let nobody_elses = CapabilitySet::new(["told"]);
        let place = Place::among(self, lane, &nobody_elses);
        place.group.work.notified().await;
    }

    /// Looks for work until there is some or `max_wait` has passed (CLM-004). Nothing is held while
    /// it waits, so a claim that is dropped meanwhile has taken nothing.
    pub async fn claim<F>(
        &self,
        lane: &LaneId,
        offered: &CapabilitySet,
        policy: &ClaimPolicy,
        look: impl Fn() -> F + Sync,
    ) -> Result<Option<Handle>, EngineError>
    where
        F: Future<Output = Result<Option<Handle>, EngineError>> + Send,
    {
        let Some(limit) = policy.max_wait.filter(|limit| !limit.is_zero()) else {
            return look().await;
        };
        let started = Instant::now();
        let place = Place::among(self, lane, offered);
        let mut watch: Option<OwnedMutexGuard<Duration>> = None;
        loop {
            // Work that comes from here on is told to somebody of the group.
            let found = look().await?;
            if found.is_some() {
                // There may be more.
                place.group.work.notify_one();
                return Ok(found);
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            watch = place.wait(watch, left).await;
        }
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, HashMap<LaneId, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim's place in its group, which is there as long as somebody waits.
struct Place<'w> {
    waiting: &'w WaitingClaims,
    lane: LaneId,
    offered: BTreeSet<String>,
    group: Arc<Group>,
}

impl<'w> Place<'w> {
    fn among(waiting: &'w WaitingClaims, lane: &LaneId, offered: &CapabilitySet) -> Self {
        let offered: BTreeSet<String> = offered.tokens.iter().cloned().collect();
        let mut lanes = waiting.lanes();
        let groups = lanes.entry(lane.clone()).or_default();
        let group = Arc::clone(groups.entry(offered.clone()).or_default());
        Self { waiting, lane: lane.clone(), offered, group }
    }

    /// Waits until there may be work or so much time has passed. Returns the watch, if this claim has it
    /// by then.
    async fn wait(
        &self,
        watch: Option<OwnedMutexGuard<Duration>>,
        left: Duration,
    ) -> Option<OwnedMutexGuard<Duration>> {
        let [first, last] = LOOK_AGAIN;
        let mut watch = if let Some(watch) = watch {
            watch
        } else {
            tokio::select! {
                () = self.group.work.notified() => return None,
                () = tokio::time::sleep(left) => return None,
                mut watch = Arc::clone(&self.group.watch).lock_owned() => {
                    *watch = first;
                    watch
                }
            }
        };
        tokio::select! {
            () = self.group.work.notified() => *watch = first,
            () = tokio::time::sleep(left.min(*watch)) => *watch = last.min(*watch * 2),
        }
        Some(watch)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut lanes = self.waiting.lanes();
        // One is the map's, one this place's.
        if Arc::strong_count(&self.group) > 2 {
            return;
        }
        if let Some(groups) = lanes.get_mut(&self.lane) {
            groups.remove(&self.offered);
            if groups.is_empty() {
                lanes.remove(&self.lane);
            }
        }
    }
}
