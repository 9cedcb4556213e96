//! Reading output streams.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

use crate::types::TimestampMs;

/// One stored frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct StreamFrame {
    /// The frame's fields by name.
    pub fields: BTreeMap<String, String>,
    /// Opaque, ascending along the stream.
    pub id: String,
}

/// A run of frames, and whether more can come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct StreamFrames {
    /// When the stream ended, in Unix milliseconds; absent while more can come.
    pub closed_at: Option<TimestampMs>,
    /// Why the stream ended.
    pub closed_reason: Option<String>,
    /// The frames, oldest first.
    pub frames: Vec<StreamFrame>,
}

impl StreamFrames {
    /// Nothing yet, and more can come.
    pub fn empty_open() -> Self {
        Self { frames: Vec::new(), closed_at: None, closed_reason: None }
    }

    pub fn is_closed(&self) -> bool {
        self.closed_at.is_some()
    }
}

/// Most frames that one read returns.
pub const STREAM_READ_HARD_CAP: u64 = 10_000;

/// A place in an output stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StreamCursor {
    /// Before the oldest frame.
    Start,
    /// After the newest frame.
    End,
    /// At the frame with this id.
    At(String),
}

/// Why a text is no stream cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamCursorParseError {
    #[error("a stream cursor is not empty")]
    Empty,
    #[error("{0:?} is a marker of the storage; write `start` or `end`")]
    BareMarkerRejected(String),
    #[error("{0:?} is no frame id: digits, or digits, a dash and digits")]
    Malformed(String),
}

impl StreamCursor {
    pub fn start() -> Self {
        Self::Start
    }

    pub fn end() -> Self {
        Self::End
    }

    /// Where a reader begins that wants everything, as the exclusive bound a tail takes.
    pub fn from_beginning() -> Self {
        Self::At("0-0".to_owned())
    }

    /// The same as [`StreamCursor::from_beginning`].
    pub fn beginning() -> Self {
        Self::from_beginning()
    }

    /// Whether it names a frame rather than an end of the stream.
    pub fn is_concrete(&self) -> bool {
        matches!(self, Self::At(_))
    }
}

impl TryFrom<String> for StreamCursor {
    type Error = StreamCursorParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        match text.as_str() {
            "" => Err(StreamCursorParseError::Empty),
            "start" => Ok(Self::Start),
            "end" => Ok(Self::End),
            "-" | "+" | "$" | "*" => Err(StreamCursorParseError::BareMarkerRejected(text)),
            id => match id.split_once('-') {
                Some((ms, seq)) if number(ms) && number(seq) => Ok(Self::At(text)),
                None if number(id) => Ok(Self::At(text)),
                _ => Err(StreamCursorParseError::Malformed(text)),
            },
        }
    }
}

impl std::str::FromStr for StreamCursor {
    type Err = StreamCursorParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<StreamCursor> for String {
    fn from(cursor: StreamCursor) -> Self {
        match cursor {
            StreamCursor::Start => "start".to_owned(),
            StreamCursor::End => "end".to_owned(),
            StreamCursor::At(id) => id,
        }
    }
}

impl<'a> Arbitrary<'a> for StreamCursor {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=2)? {
            0 => Self::Start,
            1 => Self::End,
            _ => Self::At(format!("{}-{}", u.arbitrary::<u32>()?, u.arbitrary::<u8>()?)),
        })
    }
}
