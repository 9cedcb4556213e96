//! Readers that wait for frames.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ff_core::contracts::StreamFrames;
use ff_core::engine_error::EngineError;
use ff_core::types::ExecutionId;
use tokio::sync::Notify;

use crate::waiting::LOOK_AGAIN;

/// The readers of one backend that wait, by execution. They are woken by what this backend does to the
/// execution, and look by themselves at ever longer intervals, as others may append to it.
#[derive(Default)]
pub struct WaitingTails(Mutex<HashMap<ExecutionId, Arc<Notify>>>);

impl WaitingTails {
    /// Tells that something was done to one of these executions.
    pub fn wake<'a>(&self, executions: impl IntoIterator<Item = &'a ExecutionId>) {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return;
        }
        for told in executions.into_iter().filter_map(|execution| waiting.get(execution)) {
            told.notify_waiters();
        }
    }

    /// Looks for frames until there are some, the stream is closed or so much time has passed (STR-021). Nothing
    /// is held while it waits.
    pub async fn tail<F>(
        &self,
        execution: &ExecutionId,
        block_ms: u64,
        look: impl Fn() -> F + Sync,
    ) -> Result<StreamFrames, EngineError>
    where
        F: Future<Output = Result<StreamFrames, EngineError>> + Send,
    {
        if block_ms == 0 {
            return look().await;
        }
        let (started, limit) = (Instant::now(), Duration::from_millis(block_ms));
        let place = Place::among(self, execution);
        let [first, last] = LOOK_AGAIN;
        let mut pause = first;
        loop {
            let told = place.told.notified();
            tokio::pin!(told);
            // What is done from here on is told.
            told.as_mut().enable();
            let found = look().await?;
            let left = limit.saturating_sub(started.elapsed());
            if !found.frames.is_empty() || found.is_closed() || left.is_zero() {
                return Ok(found);
            }
            tokio::select! {
                () = told => pause = first,
                () = tokio::time::sleep(left.min(pause)) => pause = last.min(pause * 2),
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<ExecutionId, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader's place, which is there as long as somebody waits.
struct Place<'w> {
    tails: &'w WaitingTails,
    execution: ExecutionId,
    told: Arc<Notify>,
}

impl<'w> Place<'w> {
    fn among(tails: &'w WaitingTails, execution: &ExecutionId) -> Self {
        let told = Arc::clone(tails.waiting().entry(execution.clone()).or_default());
        Self { tails, execution: execution.clone(), told }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.tails.waiting();
        // One is the map's, one this place's.
        if Arc::strong_count(&self.told) <= 2 {
            waiting.remove(&self.execution);
        }
    }
}
