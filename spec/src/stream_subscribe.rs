//! Where a subscriber stands in the history of events.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A place in the history of events, opaque to subscribers. Empty means now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamCursor(pub Bytes);

impl StreamCursor {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    pub fn empty() -> Self {
        Self::default()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> Arbitrary<'a> for StreamCursor {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::new(Vec::<u8>::arbitrary(u)?))
    }
}
