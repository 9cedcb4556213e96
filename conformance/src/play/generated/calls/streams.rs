//! Frames, the streams that they make, and what is read of them.

use ff_core::backend::{BestEffortLiveConfig, Frame, FrameKind, StreamMode, TailVisibility};
use ff_core::call::{Call, Method};
use ff_core::contracts::StreamCursor;
use ff_core::types::AttemptIndex;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::arguments::{NUL, TOO_LARGE, TOO_LONG, Ways, execution, spoilt, too_long};
use super::executions::lease;
use super::offer::{Offer, offer};
use crate::play::generated::reference::Reference;

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::AppendFrame, 4, append).when(|now| now.is_held, 200),
    offer(Method::ReadStream, 2, read),
    offer(Method::TailStream, 1, tail),
    offer(Method::ReadSummary, 1, summary),
];

/// Patches that meet, remove and nest.
const PATCHES: [&str; 5] = [
    r#"{"a": 1}"#,
    r#"{"a": null, "b": {"c": [1, {}]}}"#,
    r#"{"b": {"c": null, "d": "__ff_null__"}}"#,
    r#"{"a": {"e": 0.1}, "b": []}"#,
    "{}",
];

fn append(reference: &Reference) -> BoxedStrategy<Call> {
    let text = select(vec![&b"text"[..], b"\xff", b""]).prop_map(<[u8]>::to_vec);
    let durable = (text.clone(), Just(StreamMode::durable()));
    let live = select(vec![BestEffortLiveConfig::new(0), BestEffortLiveConfig::new(20)]);
    let live = (text, live).prop_map(|(bytes, config)| {
        let config = config.with_maxlen_floor(2).with_maxlen_ceiling(4).with_ema_alpha(0.5);
        (bytes, StreamMode::best_effort_live_with_config(config))
    });
    let patch = select(PATCHES.map(str::as_bytes).to_vec());
    let patch = patch.prop_map(|patch| (patch.to_vec(), StreamMode::durable_summary()));
    let seq = weighted(0.3, select(vec![1_u64, 2, 3]));
    let said = (weighted(0.3, Just("id".to_owned())), select(vec!["", "line"]));
    let good = (prop_oneof![durable, live, patch], seq, said).prop_map(
        |((bytes, mode), seq, (correlation_id, frame_type))| {
            let mut frame = Frame::new(bytes, FrameKind::Event).with_mode(mode);
            (frame.seq, frame.correlation_id) = (seq, correlation_id);
            frame.with_frame_type(frame_type)
        },
    );
    let bad: Ways<Frame> = &[
        |frame| frame.bytes = vec![b'x'; TOO_LONG],
        |frame| frame.frame_type = NUL.to_owned(),
        |frame| frame.correlation_id = Some(too_long()),
        |frame| frame.seq = Some(TOO_LARGE),
        |frame| (frame.bytes, frame.mode) = (b"[]".to_vec(), StreamMode::durable_summary()),
    ];
    (lease(reference), spoilt(good, 10, bad))
        .prop_map(|(handle, frame)| Call::AppendFrame { handle, frame })
        .boxed()
}

fn attempt() -> impl Strategy<Value = AttemptIndex> + Clone {
    prop_oneof![4 => Just(0), 1 => Just(1)].prop_map(AttemptIndex::new)
}

fn limit() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![4 => Just(10_000), 1 => Just(1), 1 => select(vec![0, 10_001])]
}

fn read(reference: &Reference) -> BoxedStrategy<Call> {
    let ends = (StreamCursor::Start, StreamCursor::End);
    let bad = (ends.0.clone(), StreamCursor::At("1".to_owned()));
    let ends = prop_oneof![6 => Just(ends.clone()), 1 => Just((ends.1, ends.0)), 1 => Just(bad)];
    (execution(reference), attempt(), ends, limit())
        .prop_map(|(execution_id, attempt_index, (from, to), count_limit)| Call::ReadStream {
            execution_id,
            attempt_index,
            from,
            to,
            count_limit,
        })
        .boxed()
}

fn tail(reference: &Reference) -> BoxedStrategy<Call> {
    let after =
        prop_oneof![6 => Just(StreamCursor::from_beginning()), 1 => Just(StreamCursor::Start)];
    let visibility = select(vec![TailVisibility::All, TailVisibility::ExcludeBestEffort]);
    let block_ms = prop_oneof![9 => Just(0), 1 => Just(30_001)];
    (execution(reference), attempt(), (after, block_ms, visibility), limit())
        .prop_map(|(execution_id, attempt_index, (after, block_ms, visibility), count_limit)| {
            Call::TailStream {
                execution_id,
                attempt_index,
                after,
                block_ms,
                count_limit,
                visibility,
            }
        })
        .boxed()
}

fn summary(reference: &Reference) -> BoxedStrategy<Call> {
    (execution(reference), attempt())
        .prop_map(|(execution_id, attempt_index)| Call::ReadSummary { execution_id, attempt_index })
        .boxed()
}
