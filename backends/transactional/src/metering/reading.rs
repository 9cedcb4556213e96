//! Reading the streams of attempts, and how they are closed.

use ff_core::backend::TailVisibility;
use ff_core::call::Call;
use ff_core::contracts::{StreamCursor, StreamFrames};
use ff_core::state::{AttemptLifecycle, OwnershipState};
use ff_core::types::{AttemptIndex, ExecutionId, MAX_INTEGER, TimestampMs};

use super::frames::shown;
use crate::engine::Rule;
use crate::records::{Attempt, CloseReason, Closed, Execution, Scan, StoredFrame, Stream};
use crate::session::Session;
use crate::store::Tx;

/// Which frames are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a> {
    pub execution: &'a ExecutionId,
    pub attempt: AttemptIndex,
    /// Those after this place and up to that one.
    pub after: Place,
    pub up_to: Place,
    /// At most so many.
    pub limit: usize,
    pub visibility: TailVisibility,
}

/// A place in a stream, before and behind every other place of the same time.
type Place = (TimestampMs, i64);

/// Before all frames.
const START: Place = (TimestampMs(-1), 0);

/// Behind all frames.
const END: Place = (TimestampMs(MAX_INTEGER.cast_signed()), i64::MAX);

/// The place of an id: digits, a dash, digits (STR-017).
pub(crate) fn place_of(id: &str) -> Option<Place> {
    let number = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u64>().ok().filter(|number| is_number && *number <= MAX_INTEGER)
    };
    let (at, number) =
        id.split_once('-').and_then(|(at, seq)| Some((number(at)?, number(seq)?)))?;
    Some((TimestampMs(at.cast_signed()), number.cast_signed()))
}

impl<'a> Frames<'a> {
    /// What a read or a tail asks for, if the call is one.
    pub fn of(call: &'a Call) -> Option<Self> {
        Some(match call {
            Call::ReadStream { execution_id, attempt_index, from, to, count_limit } => Self {
                execution: execution_id,
                attempt: *attempt_index,
                after: match from {
                    StreamCursor::Start => START,
                    StreamCursor::End => END,
                    StreamCursor::At(id) => before(place_of(id)?),
                },
                up_to: match to {
                    StreamCursor::Start => START,
                    StreamCursor::End => END,
                    StreamCursor::At(id) => place_of(id)?,
                },
                limit: usize::try_from(*count_limit).ok()?,
                visibility: TailVisibility::All,
            },
            Call::TailStream {
                execution_id,
                attempt_index,
                after,
                count_limit,
                visibility,
                ..
            } => Self {
                execution: execution_id,
                attempt: *attempt_index,
                after: match after {
                    StreamCursor::At(id) => place_of(id)?,
                    StreamCursor::Start | StreamCursor::End => return None,
                },
                up_to: END,
                limit: usize::try_from(*count_limit).ok()?,
                visibility: *visibility,
            },
            _ => return None,
        })
    }

    fn scan(&self) -> Scan<StoredFrame> {
        let index = match self.visibility {
            TailVisibility::ExcludeBestEffort => StoredFrame::LASTING,
            _ => StoredFrame::PLACED,
        };
        let frames = index.of(self.execution).and(&self.attempt);
        let (at, number) = self.after;
        frames.after(Some(&at)).after(Some(&number)).up_to(&self.up_to.0).limit(self.limit)
    }
}

/// The last place before this one.
fn before((at, number): Place) -> Place {
    if number > 0 { (at, number - 1) } else { (TimestampMs(at.0 - 1), i64::MAX) }
}

/// STR-018, STR-019, STR-022.
pub(crate) async fn read<T: Tx>(tx: &mut Session<T>, call: &Call) -> Rule<StreamFrames> {
    let Some(asked) = Frames::of(call) else {
        return Ok(StreamFrames::empty_open());
    };
    let (id, attempt) = (asked.execution, asked.attempt);
    let places = (Execution::at(id), Attempt::at(id, &attempt), Stream::at(id, &attempt));
    let (execution, ended, stream, found) =
        tx.get((places.0, places.1, places.2, asked.scan())).await?;
    let Some(execution) = execution else {
        return Ok(StreamFrames::empty_open());
    };
    let closed = match ended.and_then(|ended| ended.closed) {
        Some(closed) => Some(closed),
        None => execution.left_behind().filter(|_| execution.is_at(attempt)),
    };
    let mut frames = Vec::new();
    if let Some(stream) = stream
        && !(stream.expires_at.is_some() && stream.is_over(tx.now().await?))
    {
        for frame in found {
            if (frame.at, frame.number) <= asked.up_to {
                frames.push(shown(frame)?);
            }
        }
    }
    let (closed_at, closed_reason) = match closed {
        Some(Closed { at, reason }) => (Some(at), Some(reason.as_str().to_owned())),
        None => (None, None),
    };
    Ok(StreamFrames { closed_at, closed_reason, frames })
}

impl CloseReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Execution {
    fn is_at(&self, attempt: AttemptIndex) -> bool {
        self.attempt.is_some_and(|current| current.index == attempt)
    }

    /// How the stream of the current attempt was closed when its lease ran out (STR-016).
    fn left_behind(&self) -> Option<Closed> {
        let at = self.lease_expired_at?;
        let is_lapsed = self.ownership == OwnershipState::LeaseExpiredReclaimable;
        is_lapsed.then_some(Closed { at, reason: CloseReason::LeaseExpired })
    }

    /// How the stream of the current attempt is closed as it ends like this, for that reason if none follows from the
    /// end itself (STR-016, STR-038).
    pub(crate) fn closes(
        &self,
        state: AttemptLifecycle,
        reason: Option<CloseReason>,
        now: TimestampMs,
    ) -> Option<Closed> {
        let by_state = match state {
            AttemptLifecycle::EndedSuccess => CloseReason::AttemptSuccess,
            AttemptLifecycle::EndedFailure => CloseReason::AttemptFailure,
            AttemptLifecycle::EndedCancelled => CloseReason::AttemptCancelled,
            AttemptLifecycle::InterruptedReclaimed => CloseReason::Reclaimed,
            _ => return None,
        };
        let lapsed = self.left_behind();
        let reason = match lapsed {
            Some(lapsed) if by_state != CloseReason::Reclaimed => lapsed.reason,
            _ => reason.unwrap_or(by_state),
        };
        Some(Closed { at: lapsed.map_or(now, |lapsed| lapsed.at), reason })
    }
}
