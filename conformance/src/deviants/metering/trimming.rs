//! Deviants that break the clauses under "Trimming".

use ff_core::backend::StreamMode;

use crate::deviants::declare::{reply, request};

reply!("keeps-a-hundred", STR_008, "Shows the newest hundred frames.",
ReadStream(found) => {
    let kept = found.frames.len().saturating_sub(100);
    found.frames.drain(..kept);
});

request!("streams-are-long", STR_035, "Keeps ten frames at least, whatever the policy says.",
CreateExecution { args } => {
    if let Some(stream) = args.policy.as_mut().and_then(|policy| policy.stream_policy.as_mut()) {
        stream.retention_maxlen = stream.retention_maxlen.max(10);
    }
});

request!("no-frames-is-one", STR_036, "Takes a stream of no frames for one of one.",
CreateExecution { args } => {
    if let Some(stream) = args.policy.as_mut().and_then(|policy| policy.stream_policy.as_mut()) {
        stream.retention_maxlen = stream.retention_maxlen.max(1);
    }
});

request!("rates-without-memory", STR_013, "Goes by the last two frames.",
AppendFrame { frame, .. } => {
    if let StreamMode::BestEffortLive { config } = &mut frame.mode {
        config.ema_alpha = 1.0;
    }
});

request!("weights-without-bounds", STR_014, "Takes a weight that is none for 1.",
AppendFrame { frame, .. } => {
    if let StreamMode::BestEffortLive { config } = &mut frame.mode
        && !(config.ema_alpha > 0.0 && config.ema_alpha <= 1.0)
    {
        config.ema_alpha = 1.0;
    }
});

request!("lives-half-as-long", STR_015, "Lets frames go after their lifetime.",
AppendFrame { frame, .. } => {
    if let StreamMode::BestEffortLive { config } = &mut frame.mode {
        config.ttl_ms /= 2;
    }
});
