//! Waiting for events: one bell an outbox.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::records::Outbox;

/// After what time somebody looks although nothing was heard, as other instances commit as well.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The bells of one backend: rung when it has committed events, and when word of others' has come.
pub struct Bells(Vec<Bell>);

#[derive(Default)]
struct Bell {
    rung: watch::Sender<Rung>,
    /// Held by the subscriber that looks by itself.
    watch: Mutex<()>,
}

/// How often a bell has been rung.
#[derive(Clone, Copy, Default)]
struct Rung {
    times: u64,
    is_over: bool,
}

impl Default for Bells {
    fn default() -> Self {
        Self(Outbox::ALL.iter().map(|_| Bell::default()).collect())
    }
}

impl Bells {
    /// There are more events in this outbox.
    pub fn ring(&self, outbox: Outbox) {
        self.0[outbox as usize].rung.send_modify(|rung| rung.times += 1);
    }

    /// No more events are waited for (SYS-040).
    pub fn close(&self) {
        for bell in &self.0 {
            bell.rung.send_modify(|rung| rung.is_over = true);
        }
    }

    pub(super) fn listen(self: &Arc<Self>, outbox: Outbox) -> Heard {
        let rung = self.0[outbox as usize].rung.subscribe();
        Heard { bells: Arc::clone(self), outbox, rung }
    }
}

/// Whoever listens to a bell hears how it is rung from then on.
pub(super) struct Heard {
    bells: Arc<Bells>,
    outbox: Outbox,
    rung: watch::Receiver<Rung>,
}

impl Heard {
    pub(super) fn is_over(&self) -> bool {
        self.rung.borrow().is_over
    }

    /// Waits until there may be more. One of all that wait looks by itself, now and then: whether this one does.
    pub(super) async fn wait(mut self) -> bool {
        let bell = &self.bells.0[self.outbox as usize];
        let _watch = tokio::select! {
            _ = self.rung.changed() => return false,
            watch = bell.watch.lock() => watch,
        };
        tokio::select! {
            _ = self.rung.changed() => false,
            () = tokio::time::sleep(LOOK_AGAIN) => true,
        }
    }
}
