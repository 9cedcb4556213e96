//! Cursors: a family, a deployment, and a place in the storage's own terms.

use ff_core::engine_error::EngineError;
use ff_core::stream_subscribe::StreamCursor;
use uuid::Uuid;

use crate::records::Outbox;

/// How a cursor is laid out.
const VERSION: u8 = 1;

pub(super) struct Position<'p> {
    pub(super) outbox: Outbox,
    pub(super) deployment: Uuid,
    pub(super) place: &'p [u8],
}

impl Position<'_> {
    pub(super) fn seal(&self) -> StreamCursor {
        let head = [VERSION, self.outbox as u8];
        StreamCursor::new([&head[..], self.deployment.as_bytes(), self.place].concat())
    }

    /// The place that a cursor of this family and this deployment stands for; none of an empty one (EVT-003, EVT-005).
    pub(super) fn open(
        cursor: &StreamCursor,
        outbox: Outbox,
        deployment: Uuid,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        if cursor.as_bytes().is_empty() {
            return Ok(None);
        }
        let place = cursor
            .as_bytes()
            .strip_prefix(&[VERSION, outbox as u8])
            .and_then(|rest| rest.strip_prefix(deployment.as_bytes().as_slice()));
        match place {
            Some(place) => Ok(Some(place.to_vec())),
            None => Err(EngineError::invalid_input("no cursor of this family and deployment")),
        }
    }
}
