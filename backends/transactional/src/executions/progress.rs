//! What a worker tells of its progress.

use ff_core::backend::{BackendTag, Handle, HandlePayload};

use super::leases::{Held, Holder, held};
use crate::engine::Rule;
use crate::session::Session;
use crate::store::Tx;

/// Records progress; what is not given stays (ATT-005).
pub(crate) async fn progress<T: Tx>(
    tx: &mut Session<T>,
    tag: BackendTag,
    handle: &Handle,
    percent: Option<u8>,
    message: Option<&str>,
) -> Rule<()> {
    let payload = HandlePayload::open(tag, handle)?;
    let Held { mut execution, now } = held(tx, &Holder::of(&payload)).await?;
    execution.progress_percent = percent.or(execution.progress_percent);
    if let Some(message) = message {
        execution.progress_message = Some(message.to_owned());
    }
    execution.touch(now);
    tx.put(&execution);
    Ok(())
}
