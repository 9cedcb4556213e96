//! Deviants that break the clauses under "Summaries".

use ff_core::backend::{PatchKind, SUMMARY_NULL_SENTINEL, StreamMode, SummaryDocument};
use ff_core::call::{Call, Reply};
use ff_core::contracts::StreamFrames;

use crate::deviants::declare::{around, reply, request};

/// The same text with something instead of something else.
fn replaced(bytes: &[u8], what: &str, instead: &str) -> Vec<u8> {
    String::from_utf8_lossy(bytes).replace(what, instead).into_bytes()
}

fn is_summary(mode: &StreamMode) -> bool {
    matches!(mode, StreamMode::DurableSummary { .. })
}

request!("nothing-is-removed", STR_010, "Sets to 0 what a patch removes.",
AppendFrame { frame, .. } if is_summary(&frame.mode) => {
    frame.bytes = replaced(&frame.bytes, ":null", ":0");
});

reply!("one-kind-of-empty", STR_037, "Shows an empty object for an empty list.",
ReadSummary(Some(summary)) => {
    summary.document_json = replaced(&summary.document_json, "[]", "{}");
});

request!("no-way-to-null", STR_011, "Keeps the text that stands for null.",
AppendFrame { frame, .. } if is_summary(&frame.mode) => {
    let known = format!("\"{SUMMARY_NULL_SENTINEL}\"");
    frame.bytes = replaced(&frame.bytes, &known, "\"null\"");
});

request!("patches-of-anything", STR_009, "Takes what is no object for an empty one.",
AppendFrame { frame, .. } if is_summary(&frame.mode) && frame.bytes.first() != Some(&b'{') => {
    frame.bytes = b"{}".to_vec();
});

reply!("one-version", STR_012, "Calls every version the first.",
    AppendFrame(outcome) => outcome.summary_version = outcome.summary_version.map(|_| 1));

reply!("documents-from-the-start", STR_025, "Shows an empty document before there is one.",
ReadSummary(summary) if summary.is_none() => {
    let kind = PatchKind::JsonMergePatch;
    *summary = Some(SummaryDocument::new(b"{}".to_vec(), 1, kind, 0, 0));
});

reply!("first-time-is-the-last", STR_029, "Shows the time of the last patch for that of the first.",
    ReadSummary(Some(summary)) => summary.first_applied_ms = summary.last_updated_ms);

around!("streams-die-with-it", STR_026, "Shows no frames of what has ended.", |subject, call| {
    if let Call::ReadStream { execution_id, .. } = &call
        && subject.field(execution_id, "lifecycle_phase").await.as_deref() == Some("terminal")
    {
        return Ok(Reply::ReadStream(StreamFrames::empty_open()));
    }
    subject.ask(call).await
});
