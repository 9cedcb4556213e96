//! Following streams.

use std::time::{Duration, Instant};

use ff_core::backend::TailVisibility;
use ff_core::contracts::{StreamCursor, StreamFrames};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use tokio::task::JoinHandle;

use crate::stage::{
    Failure, Tail, Verdict, World, case, frame, ids, in_good_time, live, patch, payloads,
};

/// As long as a tail may wait, in milliseconds.
const LONG: u64 = 30_000;

type Waiting = JoinHandle<Result<StreamFrames, EngineError>>;

impl World {
    /// A tail that waits, and has looked at least once where this backend looks at once.
    async fn following(&self, id: &ff_core::types::ExecutionId, tail: Tail) -> Waiting {
        let (world, id) = (self.clone(), id.clone());
        let waiting = tokio::spawn(async move { world.tails(&id, tail).await });
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        waiting
    }
}

/// What a tail that waited has found, and that it did not wait to the end.
async fn found(waiting: Waiting) -> Result<StreamFrames, Failure> {
    let Some(found) = in_good_time(20, waiting).await else {
        return Err(Failure::new("it does not wait to the end".to_owned()));
    };
    found.map_err(|panic| Failure::new(format!("a tail died: {panic}")))?.map_err(Failure::from)
}

/// Behind every frame, and fewer than there are.
#[case(STR_020)]
async fn behind(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let told = world.write(&handle, &["a", "b", "c", "d"]).await?;
    expect_eq!(ids(&world.tails(&id, Tail::all()).await?), told, "from the beginning");
    for (place, last) in told.iter().enumerate() {
        let tail = Tail::behind(last);
        expect_eq!(ids(&world.tails(&id, tail.clone()).await?), told[place + 1..], "behind {last}");
        let two = world.tails(&id, Tail { limit: 2, ..tail }).await?;
        let end = told.len().min(place + 3);
        expect_eq!(ids(&two), told[place + 1..end], "two behind {last}");
    }
    Ok(())
}

/// The ends, and more than half a minute.
#[case(STR_042)]
async fn refused(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.write(&handle, &["a"]).await?;
    let tails = [
        Tail { after: StreamCursor::Start, ..Tail::all() },
        Tail { after: StreamCursor::End, ..Tail::all() },
        Tail::all().waiting(30_001),
        Tail::all().waiting(u64::MAX),
    ];
    for tail in tails {
        let what = format!("{:?}, {} ms", tail.after, tail.block_ms);
        expect_refused!(world.tails(&id, tail).await, "validation.invalid_input", "{what}");
    }
    let found = world.tails(&id, Tail::all().waiting(30_000)).await?;
    expect_eq!(payloads(&found), ["a"], "half a minute");
    Ok(())
}

/// Between others, and more of them than the limit.
#[case(STR_022)]
async fn hidden(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let frames = [
        live("1", 60_000),
        frame("a"),
        live("2", 60_000),
        live("3", 60_000),
        patch("{}"),
        live("4", 60_000),
        frame("b"),
    ];
    world.append_all(&handle, frames).await?;
    let tail = Tail { visibility: TailVisibility::ExcludeBestEffort, ..Tail::all() };
    let found = world.tails(&id, tail.clone()).await?;
    expect_eq!(payloads(&found), ["a", "{}", "b"], "without best effort");
    let two = world.tails(&id, Tail { limit: 2, ..tail.clone() }).await?;
    expect_eq!(payloads(&two), ["a", "{}"], "two of them");
    let all = world.tails(&id, Tail::all()).await?;
    expect_eq!(all.frames.len(), 7, "all of them");
    let last = two.frames[1].id.clone();
    let rest =
        world.tails(&id, Tail { visibility: tail.visibility, ..Tail::behind(&last) }).await?;
    expect_eq!(payloads(&rest), ["b"], "behind these");
    Ok(())
}

/// Frames that it does not see, until one that it sees.
#[case(STR_022, needs(concurrency))]
async fn not_woken(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let tail = Tail { visibility: TailVisibility::ExcludeBestEffort, ..Tail::all() };
    let waiting = world.following(&id, tail.waiting(LONG)).await;
    for _ in 0..5 {
        world.append_frame(&handle, live("hidden", 60_000)).await?;
    }
    world.write(&handle, &["a"]).await?;
    expect_eq!(payloads(&found(waiting).await?), ["a"], "the one that it sees");
    Ok(())
}

/// What comes meanwhile, what was there, and nothing.
#[case(STR_021, needs(concurrency))]
async fn waits(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let waiting = world.following(&id, Tail::all().waiting(LONG)).await;
    let told = world.write(&handle, &["a"]).await?;
    let seen = found(waiting).await?;
    expect_eq!(ids(&seen), told, "what came meanwhile");
    let waiting = world.following(&id, Tail::all().waiting(LONG)).await;
    expect_eq!(ids(&found(waiting).await?), told, "what was there");
    let begun = Instant::now();
    let none = world.tails(&id, Tail::behind(&told[0]).waiting(100)).await?;
    expect!(none.frames.is_empty(), "there is none: {none:?}");
    let took = begun.elapsed();
    expect!(took >= Duration::from_millis(100), "it waits until the time is over: {took:?}");
    let at_once = in_good_time(10, world.tails(&id, Tail::behind(&told[0]))).await;
    let none = at_once.transpose()?.map(|found| found.frames.len());
    expect_eq!(none, Some(0), "it does not wait");
    Ok(())
}

/// A hundred frames, one after the other, with a tail after each that begins somewhere in between.
#[case(STR_021, needs(concurrency))]
async fn misses_none(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let writing = {
        let (world, handle) = (world.clone(), handle.clone());
        tokio::spawn(async move {
            for number in 0..100 {
                world.append_frame(&handle, frame(&number.to_string())).await?;
                if number % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Ok::<_, EngineError>(())
        })
    };
    let mut seen: Vec<String> = Vec::new();
    let mut tail = Tail::all().waiting(LONG);
    while seen.len() < 100 {
        let found = world.tails(&id, tail).await?;
        let Some(last) = found.frames.last() else {
            return Err(Failure::new(format!("a frame is missed after {} of them", seen.len())));
        };
        tail = Tail::behind(&last.id).waiting(LONG);
        seen.extend(payloads(&found).into_iter().map(str::to_owned));
    }
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    expect_eq!(seen, expected, "each once and in order");
    writing.await.map_err(|panic| Failure::new(format!("the writer died: {panic}")))??;
    Ok(())
}

/// Closed before, and while it waits.
#[case(STR_041, needs(concurrency))]
async fn closed(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let waiting = world.following(&id, Tail::all().waiting(LONG)).await;
    world.complete(&handle, None).await?;
    let seen = found(waiting).await?;
    expect!(seen.frames.is_empty() && seen.is_closed(), "the close ends it: {seen:?}");
    let waiting = world.following(&id, Tail::all().waiting(LONG)).await;
    expect!(found(waiting).await?.is_closed(), "it is closed already");
    Ok(())
}

/// Sixty that wait, and calls of all kinds meanwhile; then they are dropped, three times over.
#[case(STR_023, needs(concurrency))]
async fn out_of_the_way(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    for round in 0..3 {
        let mut waiting = Vec::new();
        for _ in 0..60 {
            waiting.push(world.following(&id, Tail::all().waiting(30_000)).await);
        }
        let others = async {
            for _ in 0..5 {
                let (other, _) = world.claimed().await?;
                world.progress(&handle, Some(1), None).await?;
                world.stream(&other, 0).await?;
            }
            Ok::<_, Failure>(())
        };
        match in_good_time(15, others).await {
            Some(done) => done?,
            None => return Err(Failure::new(format!("others wait for them in round {round}"))),
        }
        for tail in waiting {
            tail.abort();
            // It has been dropped when this returns.
            let _ = tail.await;
        }
    }
    world.write(&handle, &["a"]).await?;
    let found = world.tails(&id, Tail::all().waiting(LONG)).await?;
    expect_eq!(payloads(&found), ["a"], "there is room for one");
    Ok(())
}
