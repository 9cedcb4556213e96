//! What is appended to the streams of attempts.

use std::collections::{BTreeMap, BTreeSet};

use ff_core::backend::{FailureClass, Frame, FrameKind, Handle, StreamMode};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::TimestampMs;

use crate::stage::{
    FIRST_ATTEMPT, Failure, Tail, Verdict, World, case, fields, frame, ids, live, patch, payloads,
};

impl World {
    /// Appends frames of all modes while the clock goes back and on again; their ids.
    async fn append_while_the_clock_turns(&self, handle: &Handle) -> Result<Vec<String>, Failure> {
        let mut told = Vec::new();
        for step in [0_i64, 5, -3, -3, 0, 0, 20] {
            self.clock().set(TimestampMs(self.now().0 + step));
            let frames = [frame("a"), patch("{}"), live("c", 60_000)];
            told.extend(self.append_all(handle, frames).await?);
        }
        Ok(told)
    }
}

/// Of two executions, and of two attempts of one.
#[case(STR_001)]
async fn apart(world: World) -> Verdict {
    let (one, handle) = world.execution().retries(3, 0).claimed().await?;
    let (other, others) = world.claimed().await?;
    world.write(&handle, &["one"]).await?;
    world.patch(&handle, r#"{"of": "one"}"#).await?;
    world.write(&others, &["other"]).await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.promote(&one).await?;
    let again = world.worker().claim().await?;
    world.write(&again, &["again"]).await?;
    world.expect_stream(&one, &["one", r#"{"of": "one"}"#], "the first attempt").await?;
    world.expect_stream(&other, &["other"], "the other execution").await?;
    expect_eq!(payloads(&world.stream(&one, 1).await?), ["again"], "the second attempt");
    let seen = world.tails(&other, Tail::all()).await?;
    expect_eq!(payloads(&seen), ["other"], "its tail");
    expect_eq!(world.read_summary(&other, FIRST_ATTEMPT).await?, None, "its document");
    Ok(())
}

/// While the clock goes back and on again, with frames of all modes.
#[case(STR_003, needs(clock))]
async fn whatever_the_clock_does(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let told = world.append_while_the_clock_turns(&handle).await?;
    expect_eq!(ids(&world.stream(&id, 0).await?), told, "in the order of the appends");
    let behind = world.tails(&id, Tail::behind(&told[4])).await?;
    expect_eq!(ids(&behind), told[5..], "behind the fifth");
    Ok(())
}

/// Likewise, by their numbers.
#[case(STR_027, needs(clock))]
async fn ascending(world: World) -> Verdict {
    let (_, handle) = world.claimed().await?;
    let told = world.append_while_the_clock_turns(&handle).await?;
    let parts = |id: &String| {
        let (at, number) = id.split_once('-')?;
        Some((at.parse::<u64>().ok()?, number.parse::<u64>().ok()?))
    };
    let numbers = told.iter().map(parts).collect::<Option<Vec<_>>>();
    let ascend = |numbers: &Vec<(u64, u64)>| numbers.windows(2).all(|two| two[0] < two[1]);
    expect!(numbers.as_ref().is_some_and(ascend), "they ascend: {told:?}");
    Ok(())
}

/// Three in one millisecond, or as many as fit.
#[case(STR_003)]
async fn in_order(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let told = world.write(&handle, &["a", "b", "c"]).await?;
    expect_eq!(told.iter().collect::<BTreeSet<_>>().len(), 3, "three ids");
    let found = world.stream(&id, 0).await?;
    expect_eq!(
        (ids(&found), payloads(&found)),
        (told.iter().map(String::as_str).collect(), vec!["a", "b", "c"])
    );
    Ok(())
}

/// Forty at once, each read as soon as it is there.
#[case(STR_004, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let answers = world.at_once(40, |world, number| {
        let (id, handle) = (id.clone(), handle.clone());
        async move {
            let text = number.to_string();
            let outcome = world.append_frame(&handle, frame(&text)).await?;
            let found = world.stream(&id, 0).await?;
            let sees = found.frames.iter().any(|frame| {
                frame.id == outcome.stream_id && frame.fields.get("payload") == Some(&text)
            });
            Ok::<_, ff_core::engine_error::EngineError>(sees)
        }
    });
    for sees in answers.await? {
        expect!(sees?, "a read that starts after the append sees it");
    }
    let found = world.stream(&id, 0).await?;
    let numbers: BTreeSet<String> = (0..40).map(|number| number.to_string()).collect();
    let seen: BTreeSet<String> = payloads(&found).into_iter().map(str::to_owned).collect();
    expect_eq!((found.frames.len(), seen), (40, numbers), "each is there once");
    Ok(())
}

/// At once, and over what is no longer kept.
#[case(STR_028, needs(concurrency))]
async fn counted(world: World) -> Verdict {
    let (_, handle) = world.claimed().await?;
    let answers = world.at_once(20, |world, _| {
        let handle = handle.clone();
        async move { world.append_frame(&handle, frame("text")).await.map(|told| told.frame_count) }
    });
    let mut counts = answers.await?.into_iter().collect::<Result<Vec<_>, _>>()?;
    counts.sort_unstable();
    expect_eq!(counts, (1..=20).collect::<Vec<_>>(), "without a gap or a repetition");
    for number in 21..=90 {
        let told = world.append_frame(&handle, patch("{}")).await?;
        expect_eq!(told.frame_count, number, "64 of them are kept");
    }
    Ok(())
}

/// With everything, and with nothing.
#[case(STR_005)]
async fn shown(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let mut full = live("text", 60_000).with_frame_type("line").with_correlation_id("request-1");
    full.seq = Some(7);
    let times = world.now();
    world.append_frame(&handle, full).await?;
    world.append_frame(&handle, frame("text").with_correlation_id("")).await?;
    world.append_frame(&handle, patch("{}")).await?;
    world.append_frame(&handle, live("", 0)).await?;
    let mut found = world.stream(&id, 0).await?;
    for shown in &mut found.frames {
        let ts = shown.fields.remove("ts").and_then(|ts| ts.parse().ok());
        world.expect_time(TimestampMs(ts.unwrap_or_default()), times, "the time of the append")?;
    }
    let common = [("encoding", "utf8"), ("source", "worker")];
    let with = |own: &[(&'static str, &'static str)]| {
        let all =
            common.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        all.collect::<BTreeMap<String, String>>()
    };
    let expected = [
        with(&[
            ("correlation_id", "request-1"),
            ("frame_type", "line"),
            ("mode", "best_effort_live"),
            ("payload", "text"),
            ("seq", "7"),
            ("ttl_ms", "60000"),
        ]),
        with(&[("frame_type", "stdout"), ("mode", "durable"), ("payload", "text")]),
        with(&[
            ("frame_type", "stdout"),
            ("mode", "durable_summary"),
            ("payload", "{}"),
            ("summary_version", "1"),
        ]),
        with(&[("frame_type", "stdout"), ("mode", "best_effort_live"), ("payload", "")]),
    ];
    let shown: Vec<_> = found.frames.iter().map(|frame| frame.fields.clone()).collect();
    expect_eq!(shown, expected, "the fields");
    let tailed = world.tails(&id, Tail::all()).await?;
    expect_eq!(tailed.frames, world.stream(&id, 0).await?.frames, "a tail shows the same");
    Ok(())
}

/// Texts and bytes of all lengths that matter to Base64.
#[case(STR_006)]
async fn encoded(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let given: [(&[u8], &str, &str); 7] = [
        (b"", "", "utf8"),
        ("grüße\n\u{1F980}".as_bytes(), "grüße\n\u{1F980}", "utf8"),
        (b"nul \0 in it", "nul \0 in it", "utf8"),
        (b"\xff", "/w==", "base64"),
        (b"\xff\xfe", "//4=", "base64"),
        (b"\xff\xfe\xfd", "//79", "base64"),
        (b"cut \xc3", "Y3V0IMM=", "base64"),
    ];
    for (bytes, ..) in given {
        world.append_frame(&handle, Frame::new(bytes.to_vec(), FrameKind::Blob)).await?;
    }
    let found = world.stream(&id, 0).await?;
    let shown: Vec<_> = payloads(&found).into_iter().zip(fields(&found, "encoding")).collect();
    expect_eq!(shown, given.map(|(_, payload, encoding)| (payload, encoding)), "in order");
    Ok(())
}

/// The caller's, and that of every kind.
#[case(STR_007)]
async fn typed(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let kinds = [FrameKind::Blob, FrameKind::Event, FrameKind::Stderr, FrameKind::Stdout];
    let given = kinds.map(|kind| Frame::new(b"text".to_vec(), kind));
    let own = given.clone().map(|frame| frame.with_frame_type("token"));
    world.append_all(&handle, given.into_iter().chain(own)).await?;
    let expected = ["blob", "event", "stderr", "stdout", "token", "token", "token", "token"];
    expect_eq!(fields(&world.stream(&id, 0).await?, "frame_type"), expected, "in order");
    Ok(())
}

fn numbered(text: &str, seq: u64) -> Frame {
    Frame::with_seq(text.as_bytes().to_vec(), FrameKind::Event, seq)
}

/// Of every mode; a document is patched once.
#[case(STR_032)]
async fn repetition(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let modes = [
        StreamMode::durable(),
        StreamMode::durable_summary(),
        StreamMode::best_effort_live(60_000),
    ];
    for (seq, mode) in (3..).zip(modes) {
        let frame = numbered(r#"{"a": 1}"#, seq).with_mode(mode);
        let first = world.append_frame(&handle, frame.clone()).await?;
        world.pass_ms(5).await?;
        let before = world.stream(&id, 0).await?;
        for _ in 0..2 {
            expect_eq!(world.append_frame(&handle, frame.clone()).await?, first, "again");
        }
        expect_eq!(world.stream(&id, 0).await?, before, "nothing is appended");
    }
    let told = world.patch(&handle, "{}").await?;
    expect_eq!((told.frame_count, told.summary_version), (4, Some(2)), "what comes next");
    Ok(())
}

/// One of them at once, eight times.
#[case(STR_032, needs(concurrency))]
async fn repeated_at_once(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let answers = world.at_once(8, |world, _| {
        let handle = handle.clone();
        async move { world.append_frame(&handle, numbered("text", 1)).await }
    });
    let answers = answers.await?.into_iter().collect::<Result<Vec<_>, _>>()?;
    expect!(answers.iter().all(|answer| *answer == answers[0]), "one answer: {answers:?}");
    world.expect_stream(&id, &["text"], "one frame").await
}

/// Below the last, and the last with other bytes, another type and another mode.
#[case(STR_033)]
async fn out_of_order(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.append_all(&handle, [numbered("a", 2), numbered("b", 5)]).await?;
    let before = world.stream(&id, 0).await?;
    let wrong = [
        numbered("a", 2),
        numbered("c", 4),
        numbered("a", 5),
        numbered("b", 5).with_frame_type("other"),
        numbered("b", 5).with_mode(StreamMode::best_effort_live(60_000)),
    ];
    for frame in wrong {
        let answer = world.append_frame(&handle, frame.clone()).await;
        expect_refused!(answer, "validation.invalid_offset", "{frame:?}");
    }
    expect_eq!(world.stream(&id, 0).await?, before, "nothing is appended");
    Ok(())
}

/// Gaps, frames without one in between, and another attempt.
#[case(STR_034)]
async fn numbers(world: World) -> Verdict {
    let (id, handle) = world.execution().retries(3, 0).claimed().await?;
    let frames = [
        numbered("a", 7),
        frame("same"),
        frame("same"),
        numbered("b", 8),
        numbered("c", 1_000_000),
    ];
    world.append_all(&handle, frames).await?;
    world.expect_stream(&id, &["a", "same", "same", "b", "c"], "all of them").await?;
    world.fail_with(&handle, FailureClass::Transient).await?;
    world.promote(&id).await?;
    let again = world.worker().claim().await?;
    world.append_all(&again, [numbered("a", 0), numbered("b", 1)]).await?;
    expect_eq!(payloads(&world.stream(&id, 1).await?), ["a", "b"], "each attempt begins anew");
    Ok(())
}

/// Who held it before, and who holds another.
#[case(STR_030)]
async fn fenced(world: World) -> Verdict {
    let (id, old) = world.execution().retries(3, 0).claimed().await?;
    world.write(&old, &["first"]).await?;
    world.fail_with(&old, FailureClass::Transient).await?;
    expect_refused!(
        world.append_frame(&old, frame("late")).await,
        "contention.execution_not_active",
        "nobody holds it"
    );
    world.promote(&id).await?;
    let new = world.worker().claim().await?;
    let late = [frame("late"), patch(r#"{"late": true}"#), numbered("late", 1)];
    for frame in late {
        expect_refused!(world.append_frame(&old, frame).await, "state.stale_lease", "another does");
    }
    world.write(&new, &["second"]).await?;
    world.expect_stream(&id, &["first"], "the first attempt").await?;
    expect_eq!(payloads(&world.stream(&id, 1).await?), ["second"], "the second");
    expect_eq!(world.read_summary(&id, FIRST_ATTEMPT).await?, None, "no document");
    Ok(())
}
