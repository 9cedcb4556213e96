//! Reading streams.

use ff_core::contracts::{StreamCursor, StreamFrames};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::AttemptIndex;

use crate::stage::{FIRST_ATTEMPT, Tail, Verdict, World, at, case, ids, payloads};

/// More than a backend allows to run at once, if nobody has told it otherwise.
const MOST: u64 = 200;

/// Every pair of places among five frames, their ends and what is around them.
#[case(STR_018)]
async fn ranges(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let mut told = Vec::new();
    for text in ["a", "b", "c", "d", "e"] {
        told.extend(world.write(&handle, &[text]).await?);
        world.pass_ms(1).await?;
    }
    let mut places = vec![(StreamCursor::Start, 0, 0), (StreamCursor::from_beginning(), 0, 0)];
    // Where a range begins and ends that begins or ends there.
    places.extend(told.iter().enumerate().map(|(place, id)| (at(id), place, place + 1)));
    places.push((StreamCursor::End, 5, 5));
    for (from, first, _) in &places {
        for (to, _, last) in &places {
            let found = world.between(&id, 0, from.clone(), to.clone()).await?;
            let expected = told.get(*first..*last).unwrap_or_default();
            expect_eq!(ids(&found), expected, "from {from:?} to {to:?}");
        }
    }
    Ok(())
}

/// Fewer than there are.
#[case(STR_018)]
async fn limited(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let told = world.write(&handle, &["a", "b", "c", "d"]).await?;
    let read = |from, limit| world.read_stream(&id, FIRST_ATTEMPT, from, StreamCursor::End, limit);
    for limit in 1..=5 {
        let found = read(StreamCursor::Start, limit as u64).await?;
        expect_eq!(ids(&found), told[..limit.min(4)], "the first {limit}");
    }
    let found = read(at(&told[1]), 2).await?;
    expect_eq!(payloads(&found), ["b", "c"], "two from the second on");
    Ok(())
}

/// Limits and ids that are none.
#[case(STR_017)]
async fn refused(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.write(&handle, &["a"]).await?;
    let ids = ["", "1", "-", "+", "$", "1-", "-1", "a-1", "1-a", "1-1-1", "+1-1", " 1-1", "1-1 "];
    for bad in ids.map(at) {
        for answer in [
            world.between(&id, 0, bad.clone(), StreamCursor::End).await,
            world.between(&id, 0, StreamCursor::Start, bad.clone()).await,
            world.tails(&id, Tail { after: bad.clone(), ..Tail::all() }).await,
        ] {
            expect_refused!(answer, "validation.invalid_input", "{bad:?}");
        }
    }
    let (start, end) = (StreamCursor::Start, StreamCursor::End);
    for limit in [0, 10_001, u64::MAX] {
        for answer in [
            world.read_stream(&id, FIRST_ATTEMPT, start.clone(), end.clone(), limit).await,
            world.tails(&id, Tail { limit, ..Tail::all() }).await,
        ] {
            expect_refused!(answer, "validation.invalid_input", "a limit of {limit}");
        }
    }
    for limit in [1, 10_000] {
        let found =
            world.read_stream(&id, FIRST_ATTEMPT, start.clone(), end.clone(), limit).await?;
        expect_eq!(payloads(&found), ["a"], "a limit of {limit}");
    }
    Ok(())
}

/// Of nobody, of an attempt to come, and of one that has none yet.
#[case(STR_019)]
async fn empty(world: World) -> Verdict {
    let (id, _) = world.claimed().await?;
    let waiting = world.execution().create().await?;
    let unknown = world.execution_id();
    for (id, attempt) in [(&id, 0), (&id, 1), (&waiting, 0), (&unknown, 0), (&unknown, 7)] {
        let what = format!("attempt {attempt}");
        expect_eq!(world.stream(id, attempt).await?, StreamFrames::empty_open(), "{what}");
        let Tail { after, block_ms, limit, visibility } = Tail::all();
        let attempt = AttemptIndex::new(attempt);
        let tail = world.tail_stream(id, attempt, after, block_ms, limit, visibility);
        expect_eq!(tail.await?, StreamFrames::empty_open(), "a tail of {what}");
    }
    Ok(())
}

/// Tails that wait, until there are too many.
#[case(STR_024, needs(concurrency))]
async fn too_many(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let mut waiting = tokio::task::JoinSet::new();
    let mut refused = None;
    while refused.is_none() && (waiting.len() as u64) < MOST {
        let (world, id) = (world.clone(), id.clone());
        waiting.spawn(async move { world.tails(&id, Tail::all().waiting(20_000)).await });
        tokio::task::yield_now().await;
        if let Some(ended) = waiting.try_join_next() {
            refused = ended.ok();
        }
    }
    let refused = match refused {
        Some(refused) => refused,
        // All are on their way; the one that is too many has answered, or nobody has.
        None => {
            world.read_stream(&id, FIRST_ATTEMPT, StreamCursor::Start, StreamCursor::End, 1).await
        }
    };
    let Err(EngineError::ResourceExhausted { pool, max, retry_after_ms }) = refused else {
        return Err(crate::stage::Failure::new(format!("one is too many: {refused:?}")));
    };
    expect_eq!(pool, "stream_ops", "which are too many");
    expect!((1..MOST).contains(&u64::from(max)), "how many are allowed: {max}");
    expect!(
        retry_after_ms.is_some_and(|hint| hint >= 25),
        "when to come again: {retry_after_ms:?}"
    );
    expect_eq!(
        world.read_summary(&id, FIRST_ATTEMPT).await?,
        None,
        "other methods are not counted"
    );
    world.write(&handle, &["a"]).await?;
    while let Some(ended) = waiting.join_next().await {
        match ended {
            Ok(Ok(found)) => expect_eq!(payloads(&found), ["a"], "those that waited"),
            Ok(Err(EngineError::ResourceExhausted { .. })) => {}
            other => return Err(crate::stage::Failure::new(format!("a tail: {other:?}"))),
        }
    }
    world.expect_stream(&id, &["a"], "there is room again").await
}
