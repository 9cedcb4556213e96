//! Calls that wait: how many there may be, and that none begins once the backend shuts down.

use std::time::Duration;

use ff_core::backend::CancelFlowWait;
use ff_core::call::Call;
use ff_core::engine_error::EngineError;
use tokio::sync::watch;

/// How many reads of streams run at once, if nobody says otherwise (STR-024).
pub(crate) const STREAM_READS: u32 = 64;

/// When a read that was one too many may come again, in milliseconds.
const COME_AGAIN_MS: u32 = 50;

/// The calls of one backend that wait (SYS-040).
pub struct Waits {
    waiting: watch::Sender<Waiting>,
    /// How many reads of streams run at once.
    stream_reads: u32,
}

#[derive(Default)]
struct Waiting {
    is_over: bool,
    calls: usize,
    /// Those among them that read streams.
    stream_reads: u32,
}

impl Waits {
    /// With so many reads of streams at once.
    pub fn with(stream_reads: u32) -> Self {
        Self { waiting: watch::Sender::default(), stream_reads }
    }

    /// Counts a call that may wait until what is returned is dropped. After a shutdown there are none.
    pub fn admit(&self, call: &Call) -> Result<Option<Wait<'_>>, EngineError> {
        let reads_stream = matches!(call, Call::ReadStream { .. } | Call::TailStream { .. });
        let waits = match call {
            Call::Claim { policy, .. } => policy.max_wait.is_some(),
            Call::CancelFlow { wait, .. } => *wait != CancelFlowWait::NoWait,
            Call::SubscribeLeaseHistory { .. }
            | Call::SubscribeCompletion { .. }
            | Call::SubscribeSignalDelivery { .. }
            | Call::SubscribeInstanceTags { .. } => true,
            _ => reads_stream,
        };
        if !waits {
            return Ok(None);
        }
        let mut refused = None;
        self.waiting.send_if_modified(|waiting| {
            if waiting.is_over {
                refused = Some(EngineError::Unavailable { op: call.method().as_str() });
            } else if reads_stream && waiting.stream_reads >= self.stream_reads {
                let (pool, max) = ("stream_ops", self.stream_reads);
                let retry_after_ms = Some(COME_AGAIN_MS);
                refused = Some(EngineError::ResourceExhausted { pool, max, retry_after_ms });
            } else {
                waiting.calls += 1;
                waiting.stream_reads += u32::from(reads_stream);
            }
            refused.is_none()
        });
        match refused {
            Some(error) => Err(error),
            None => Ok(Some(Wait { waits: self, reads_stream })),
        }
    }

    /// Lets no more calls wait, and gives those that do this long.
    pub async fn shut_down(&self, grace: Duration) -> Result<(), EngineError> {
        self.waiting.send_modify(|waiting| waiting.is_over = true);
        let mut seen = self.waiting.subscribe();
        let ended = seen.wait_for(|waiting| waiting.calls == 0);
        match tokio::time::timeout(grace, ended).await {
            Ok(_) => Ok(()),
            Err(_) => Err(EngineError::Timeout { op: "shutdown_prepare", elapsed: grace }),
        }
    }
}

/// A call that may wait.
pub struct Wait<'w> {
    waits: &'w Waits,
    reads_stream: bool,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.waits.waiting.send_modify(|waiting| {
            waiting.calls -= 1;
            waiting.stream_reads -= u32::from(self.reads_stream);
        });
    }
}
