//! Plays a sequence that was kept.

use std::sync::Arc;

use super::registry::registry;
use crate::play::generated::{self, PlayedAgain, Recording};
use crate::stage::{Harness, HarnessError};

/// The case whose sequences are kept.
const SEQUENCES: &str = "system.interactions.sequences";

/// Plays a kept sequence on a backend and on the model.
pub async fn play_recording(
    harness: &Arc<dyn Harness>,
    recording: &Recording,
) -> Result<PlayedAgain, HarnessError> {
    let case = registry().into_iter().find(|case| case.slug == SEQUENCES);
    let case = case.ok_or("the suite has no sequences")?;
    generated::play_recording(harness, &case, recording).await
}
