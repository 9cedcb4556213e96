//! Deviants that break the clauses under "Tailing".

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ff_core::backend::TailVisibility;
use ff_core::call::Call;
use ff_core::contracts::StreamCursor;
use ff_core::engine_error::EngineError;

use crate::deviants::declare::{deviant, reply, request};
use crate::deviants::fault::around;

request!("tails-begin-anew", STR_020, "Returns what was read before as well.",
    TailStream { after: StreamCursor::At(id), .. } if id.contains('-') => *id = "0-0".to_owned());

request!("waits-are-clamped", STR_042, "Takes a longer wait for half a minute.",
    TailStream { block_ms, .. } => *block_ms = (*block_ms).min(30_000));

request!("best-effort-shows", STR_022, "Shows best-effort frames to all.",
    TailStream { visibility, .. } => *visibility = TailVisibility::All);

request!("tails-never-wait", STR_021, "Returns at once.", TailStream { block_ms, .. } => *block_ms = 0);

reply!("tails-see-no-end", STR_041, "Does not tell a tail that the stream is closed.",
    TailStream(found) => (found.closed_at, found.closed_reason) = (None, None));

deviant!("dropped-tails-stay", STR_023, "Counts tails that were dropped among those that wait." => {
    let waiting = Arc::new(AtomicU32::new(0));
    around(move |subject, call| {
        let waiting = Arc::clone(&waiting);
        Box::pin(async move {
            if !matches!(call, Call::TailStream { .. }) {
                return subject.ask(call).await;
            }
            let max = 64;
            if waiting.fetch_add(1, Ordering::SeqCst) >= max {
                return Err(EngineError::ResourceExhausted {
                    pool: "stream_ops",
                    max,
                    retry_after_ms: None,
                });
            }
            let answer = subject.ask(call).await;
            waiting.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    })
});
