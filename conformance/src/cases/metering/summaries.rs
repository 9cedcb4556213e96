//! The documents that summary frames make.

use std::collections::BTreeSet;

use ff_core::backend::{Frame, FrameKind, PatchKind, SUMMARY_NULL_SENTINEL, StreamMode};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::AttemptIndex;
use serde_json::{Value, json};

use crate::stage::{FIRST_ATTEMPT, Verdict, World, case, frame, patch};

/// The examples of RFC 7396 that have an object on both sides, and some more of the kind.
#[case(STR_010)]
async fn merged(world: World) -> Verdict {
    let examples = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"{"a":"foo"}"#, r#"{"b":null}"#, r#"{"a":"foo"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        (r#"{"a":1}"#, r#"{"a":{"b":{"c":2}}}"#, r#"{"a":{"b":{"c":2}}}"#),
        (r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{}}"#, r#"{"a":{"b":1,"c":2}}"#),
        (r#"{"a":{"b":1}}"#, r#"{"a":[null,{"b":null}]}"#, r#"{"a":[null,{"b":null}]}"#),
        (r#"{"é":{"":1}}"#, r#"{"é":{"":null,"1":2}}"#, r#"{"é":{"1":2}}"#),
    ];
    for (before, change, after) in examples {
        let (id, handle) = world.claimed().await?;
        for text in [before, change] {
            world.patch(&handle, text).await?;
        }
        let expected: Value = serde_json::from_str(after).unwrap_or_default();
        expect_eq!(world.document(&id).await?, expected, "{change} on {before}");
    }
    Ok(())
}

/// A value drawn at random, an object at first, with few names so that patches meet.
fn drawn_value(world: &World, depth: u32) -> Value {
    let names = ["a", "b", "c", "d"];
    let some = || names.iter().filter(|_| world.random().is_multiple_of(2));
    match world.random() % if depth == 0 { 1 } else { 7 } {
        0 | 1 if depth < 5 => {
            let member = |name: &&str| ((*name).to_owned(), drawn_value(world, depth + 1));
            Value::Object(some().map(member).collect())
        }
        2 if depth < 5 => some().map(|_| drawn_value(world, depth + 1)).collect(),
        3 => json!(world.random() % 10),
        4 => json!("text"),
        5 => json!(true),
        _ => Value::Null,
    }
}

/// A hundred patches drawn at random, each on what the others have made, beside another implementation.
#[case(STR_010)]
async fn drawn(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let mut expected = json!({});
    for number in 0..100 {
        let patch = drawn_value(&world, 0);
        world.patch(&handle, &patch.to_string()).await?;
        json_patch::merge(&mut expected, &patch);
        expect_eq!(world.document(&id).await?, expected, "after {number} others: {patch}");
    }
    Ok(())
}

/// Numbers at their limits, and texts with everything in them; also after another patch.
#[case(STR_037)]
async fn values(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let values = json!({
        "empty": {}, "none": [], "nested": [[], {}, [{"a": []}]],
        "most": 9_007_199_254_740_991_i64, "least": -9_007_199_254_740_991_i64,
        "tenth": 0.1, "small": 5e-324, "third": 0.333_333_333_333_333_3, "large": 123_456_789_012.25,
        "texts": ["", "\u{0}\n\t\"\\", "grüße \u{1F980}", "\u{7f}\u{2028}"],
        "bools": [true, false], "\u{0} \"name\"": 1,
        "object": {"empty": {}, "none": []},
    });
    world.patch(&handle, &values.to_string()).await?;
    expect_eq!(world.document(&id).await?, values, "as it was given");
    world.patch(&handle, r#"{"object": {"empty": {}}, "empty": {}}"#).await?;
    expect_eq!(world.document(&id).await?, values, "an empty object changes none");
    Ok(())
}

/// At every depth, in lists, and over what was there.
#[case(STR_011)]
async fn nulls(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.patch(&handle, r#"{"a": 1, "b": {"c": 2}, "d": {"e": 3}}"#).await?;
    let with = |to: Value| {
        let (name, longer) = (SUMMARY_NULL_SENTINEL, format!("{SUMMARY_NULL_SENTINEL} "));
        let (b, f) = (json!({"c": to}), json!([to, {"g": to}, [to]]));
        json!({"a": to, "b": b, "d": to, "f": f, name: "kept", "h": longer})
    };
    world.patch(&handle, &with(json!(SUMMARY_NULL_SENTINEL)).to_string()).await?;
    let given = with(json!(null));
    expect_eq!(world.document(&id).await?, given, "it is null");
    Ok(())
}

/// Of depth 16 and of depth 17; numbers at the limit and beyond; and what is no object.
#[case(STR_009)]
async fn patches(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let nested = |depth: usize, (open, close): (&str, &str)| {
        format!(r#"{{"a":{}1{}}}"#, open.repeat(depth), close.repeat(depth))
    };
    let (object, list) = ((r#"{"a":"#, "}"), ("[", "]"));
    let good = [nested(16, object), nested(16, list), r#"{"n": 9007199254740991}"#.to_owned()];
    for text in &good {
        world.patch(&handle, text).await?;
    }
    let before = (world.stream(&id, 0).await?, world.document(&id).await?);
    let deep = [nested(17, object), nested(17, list)];
    let bad: &[&[u8]] = &[
        deep[0].as_bytes(),
        deep[1].as_bytes(),
        br#"{"n": 9007199254740992}"#,
        br#"{"n": [-9007199254740992]}"#,
        br#"{"n": 1e300}"#,
        b"[1]",
        b"1",
        b"null",
        br#""text""#,
        b"",
        b"{",
        br#"{"a": 1} {"b": 2}"#,
        br#"{"a": 01}"#,
        b"{\"a\": \"\xff\"}",
    ];
    for bytes in bad {
        let frame = Frame::new(bytes.to_vec(), FrameKind::Event);
        let frame = frame.with_mode(StreamMode::durable_summary());
        let answer = world.append_frame(&handle, frame).await;
        expect_refused!(answer, "validation.invalid_input", "{}", String::from_utf8_lossy(bytes));
    }
    let after = (world.stream(&id, 0).await?, world.document(&id).await?);
    expect_eq!(after, before, "neither changes");
    Ok(())
}

/// One after the other, with other frames in between.
#[case(STR_012)]
async fn versions(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    for version in 1..=3 {
        let told = world.patch(&handle, &format!(r#"{{"v{version}": 1}}"#)).await?;
        expect_eq!(told.summary_version, Some(version), "of the patch");
        let summary = world.read_summary(&id, FIRST_ATTEMPT).await?;
        expect_eq!(summary.map(|summary| summary.version), Some(version), "of the document");
        let plain = world.append_frame(&handle, frame(r#"{"v": 1}"#)).await?;
        expect_eq!(plain.summary_version, None, "a durable frame makes none");
    }
    expect_eq!(world.document(&id).await?, json!({"v1": 1, "v2": 1, "v3": 1}), "all of them");
    Ok(())
}

/// Thirty at once.
#[case(STR_012, needs(concurrency))]
async fn patched_at_once(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let answers = world.at_once(30, |world, number| {
        let handle = handle.clone();
        async move { world.patch(&handle, &format!(r#"{{"in": {{"p{number}": {number}}}}}"#)).await }
    });
    let mut versions = BTreeSet::new();
    for answer in answers.await? {
        versions.extend(answer?.summary_version);
    }
    expect_eq!(versions, (1..=30).collect(), "each has a version of its own");
    let document = world.document(&id).await?;
    let members = document["in"].as_object().map(serde_json::Map::len);
    expect_eq!(members, Some(30), "none is lost: {document}");
    Ok(())
}

/// Of nobody, of an attempt to come, and of one without a patch.
#[case(STR_025)]
async fn none(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.write(&handle, &["{}"]).await?;
    let unknown = world.execution_id();
    for (id, attempt) in [(&id, 0), (&id, 1), (&unknown, 0)] {
        let summary = world.read_summary(id, AttemptIndex::new(attempt)).await?;
        expect_eq!(summary, None, "attempt {attempt}");
    }
    world.patch(&handle, "{}").await?;
    expect_eq!(world.document(&id).await?, json!({}), "an empty patch makes an empty document");
    let next = world.read_summary(&id, AttemptIndex::new(1)).await?;
    expect_eq!(next, None, "of another attempt");
    Ok(())
}

/// After three patches.
#[case(STR_029)]
async fn described(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let first = world.now();
    for _ in 0..3 {
        world.patch(&handle, r#"{"a": 1}"#).await?;
        world.pass_ms(50).await?;
    }
    let Some(summary) = world.read_summary(&id, FIRST_ATTEMPT).await? else {
        return Err(crate::stage::Failure::new("there is a document".to_owned()));
    };
    expect_eq!((summary.version, summary.patch_kind), (3, PatchKind::JsonMergePatch));
    let at = |millis: u64| ff_core::types::TimestampMs(millis.cast_signed());
    world.expect_time(at(summary.first_applied_ms), first, "the first patch")?;
    let last = world.due_in_ms(-50);
    world.expect_time(at(summary.last_updated_ms), last, "the last patch")
}

/// When the execution has ended.
#[case(STR_026)]
async fn outlast(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.append_all(&handle, [frame("a"), patch(r#"{"b": 1}"#)]).await?;
    world.complete(&handle, None).await?;
    world.pass_ms(50).await?;
    world.expect_stream(&id, &["a", r#"{"b": 1}"#], "the frames").await?;
    expect_eq!(world.document(&id).await?, json!({"b": 1}), "the document");
    Ok(())
}
