//! How many frames are kept, and for how long.

use ff_core::backend::{BestEffortLiveConfig, Frame, Handle};
use ff_core::contracts::StreamFrames;
use ff_core::engine_backend::EngineBackend;
use ff_core::policy::StreamPolicy;
use ff_core::types::ExecutionId;

use crate::stage::{
    ExecutionBuilder, Failure, Tail, Verdict, World, case, frame, ids, live, patch, payloads, sized,
};

impl World {
    /// An execution whose policy keeps so many frames.
    fn keeping(&self, retention_maxlen: u64) -> ExecutionBuilder {
        self.execution().policy(|policy| {
            policy.stream_policy = Some(StreamPolicy {
                durability_mode: "durable".to_owned(),
                retention_maxlen,
                retention_ttl_ms: None,
            });
        })
    }

    /// Asserts that after this frame so many are kept, and which.
    async fn expect_kept(
        &self,
        (id, handle): (&ExecutionId, &Handle),
        frame: Frame,
        kept: u64,
    ) -> Result<StreamFrames, Failure> {
        let told = self.append_frame(handle, frame).await?;
        let found = self.stream(id, 0).await?;
        let (count, what) = (found.frames.len() as u64, told.frame_count);
        expect_eq!(count, kept, "how many of {what} frames are kept");
        let newest = ids(&found).last().map(|id| (*id).to_owned());
        expect_eq!(newest, Some(told.stream_id), "the newest is");
        Ok(found)
    }
}

/// After a durable frame 10 000, after a summary frame 64, whatever they are.
#[case(STR_008)]
async fn kept(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    for number in 0..9_999 {
        world.append_frame(&handle, frame(&number.to_string())).await?;
    }
    let stream = (&id, &handle);
    let found = world.expect_kept(stream, frame("last"), 10_000).await?;
    expect_eq!(payloads(&found)[0], "0", "the oldest");
    for oldest in ["1", "2"] {
        let found = world.expect_kept(stream, frame("one more"), 10_000).await?;
        expect_eq!(payloads(&found)[0], oldest, "the oldest is gone");
    }
    let found = world.expect_kept(stream, patch("{}"), 64).await?;
    expect_eq!(payloads(&found)[60..], ["last", "one more", "one more", "{}"], "the newest");
    world.expect_kept(stream, frame("and on"), 65).await.map(drop)
}

/// With a policy that says so.
#[case(STR_035)]
async fn by_policy(world: World) -> Verdict {
    let (id, handle) = world.keeping(3).claimed().await?;
    world.write(&handle, &["a", "b", "c"]).await?;
    world.expect_stream(&id, &["a", "b", "c"], "as many as are kept").await?;
    world.write(&handle, &["d"]).await?;
    world.expect_stream(&id, &["b", "c", "d"], "the newest three").await?;
    for _ in 0..3 {
        world.patch(&handle, "{}").await?;
    }
    let found = world.stream(&id, 0).await?;
    expect_eq!(found.frames.len(), 6, "a summary frame leaves more of them");
    let (id, handle) = world.keeping(1).claimed().await?;
    world.write(&handle, &["a", "b"]).await?;
    world.expect_stream(&id, &["b"], "the newest one").await
}

/// None at all.
#[case(STR_036)]
async fn nothing_kept(world: World) -> Verdict {
    let refused = world.keeping(0).try_create().await;
    expect_refused!(refused, "validation.invalid_policy_json", "a stream without frames");
    Ok(())
}

/// As in STR-013, on its own.
struct Pace {
    floor: f64,
    ceiling: f64,
    alpha: f64,
    rate: Option<f64>,
}

impl Pace {
    /// How many are kept after a frame that comes so long after the one before.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Both bounds are small.
    fn kept(&mut self, ttl_ms: f64, since: f64) -> u64 {
        let Some(rate) = self.rate else {
            self.rate = Some(self.floor * 1_000.0 / (2.0 * ttl_ms));
            return self.floor as u64;
        };
        let rate = self.alpha * (1_000.0 / since.max(1.0)) + (1.0 - self.alpha) * rate;
        self.rate = Some(rate);
        let wanted = 2.0 * (rate * ttl_ms / 1_000.0).ceil();
        wanted.max(self.floor).min(self.ceiling) as u64
    }
}

/// Slow, fast, slow again and in bursts.
#[case(STR_013, needs(clock))]
async fn window(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let config = BestEffortLiveConfig::new(400)
        .with_maxlen_floor(3)
        .with_maxlen_ceiling(20)
        .with_ema_alpha(0.3);
    let mut pace = Pace { floor: 3.0, ceiling: 20.0, alpha: 0.3, rate: None };
    // A frame that stays keeps the others from expiring.
    world.append_frame(&handle, frame("text")).await?;
    let (mut before, mut there) = (world.now(), 1);
    let steps = [1, 90, 90, 80, 7, 7, 7, 7, 7, 7, 7, 60, 60, 250, 250, 0, 0, 0, 0, 350, 350];
    for step in [0].into_iter().chain(steps.into_iter().cycle().take(84)) {
        world.pass_ms(step).await?;
        let since = world.now().0 - before.0;
        before = world.now();
        let kept = pace.kept(400.0, f64::from(u32::try_from(since).unwrap_or_default()));
        there = kept.min(there + 1);
        world.expect_kept((&id, &handle), sized("text", config.clone()), there).await?;
    }
    Ok(())
}

/// Floors, ceilings, weights and lifetimes that are none.
#[case(STR_014, needs(clock))]
async fn defaults(world: World) -> Verdict {
    let plain = || BestEffortLiveConfig::new(2_000);
    let same = [
        (
            "a ceiling",
            plain().with_maxlen_floor(2).with_maxlen_ceiling(0),
            plain().with_maxlen_floor(2),
        ),
        ("a floor", plain().with_maxlen_floor(0), plain().with_maxlen_floor(64)),
        (
            "a ceiling below the floor",
            plain().with_maxlen_floor(9).with_maxlen_ceiling(3),
            plain().with_maxlen_floor(9).with_maxlen_ceiling(9),
        ),
        (
            "a weight of 0",
            plain().with_maxlen_floor(2).with_ema_alpha(0.0),
            plain().with_maxlen_floor(2).with_ema_alpha(0.2),
        ),
        (
            "a weight above 1",
            plain().with_maxlen_floor(2).with_ema_alpha(1.1),
            plain().with_maxlen_floor(2).with_ema_alpha(0.2),
        ),
        (
            "a weight that is no number",
            plain().with_maxlen_floor(2).with_ema_alpha(f64::NAN),
            plain().with_maxlen_floor(2).with_ema_alpha(0.2),
        ),
        (
            "no lifetime",
            BestEffortLiveConfig::new(0).with_maxlen_floor(2),
            BestEffortLiveConfig::new(1).with_maxlen_floor(2),
        ),
    ];
    for (what, given, meant) in same {
        let streams = [world.claimed().await?, world.claimed().await?];
        for ((_, handle), config) in streams.iter().zip([&given, &meant]) {
            world.append_frame(handle, frame("text")).await?;
            world.append_frame(handle, sized("text", config.clone())).await?;
        }
        for step in [20, 700, 700, 700, 9_000].into_iter().chain([900; 4]).chain([1; 20]) {
            world.pass_ms(step).await?;
            let mut counts = Vec::new();
            for ((id, handle), config) in streams.iter().zip([&given, &meant]) {
                world.append_frame(handle, sized("text", config.clone())).await?;
                counts.push(world.stream(id, 0).await?.frames.len());
            }
            expect_eq!(counts[0], counts[1], "{what}: how many are kept");
        }
    }
    Ok(())
}

/// Twice its lifetime after the last, not before; and never once another frame has come.
#[case(STR_015, needs(clock))]
async fn gone(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let first = world.append_frame(&handle, live("a", 100)).await?;
    world.pass_ms(199).await?;
    world.append_frame(&handle, live("b", 50)).await?;
    world.pass_ms(99).await?;
    world.expect_stream(&id, &["a", "b"], "not yet").await?;
    world.pass_ms(1).await?;
    world.expect_stream(&id, &[], "they are gone").await?;
    expect!(world.tails(&id, Tail::all()).await?.frames.is_empty(), "for tails as well");
    let next = world.append_frame(&handle, live("c", 50)).await?;
    expect_eq!(next.frame_count, 3, "the count goes on");
    let found = world.tails(&id, Tail::behind(&first.stream_id)).await?;
    expect_eq!(ids(&found), [next.stream_id.as_str()], "ids go on");
    world.write(&handle, &["d"]).await?;
    world.append_frame(&handle, live("e", 1)).await?;
    world.pass_ms(20_000).await?;
    world.expect_stream(&id, &["c", "d", "e"], "nothing goes any more").await?;
    let (endless, handle) = world.claimed().await?;
    world.append_frame(&handle, live("a", 0)).await?;
    world.pass_ms(20_000).await?;
    world.expect_stream(&endless, &["a"], "a lifetime of 0 is no end").await
}
