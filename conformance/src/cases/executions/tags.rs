//! Tags of executions.

use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;

use crate::stage::{Failure, Verdict, World, case};

/// A tag is set, replaced, emptied, and leaves the others alone.
#[case(EXE_029)]
async fn set(world: World) -> Verdict {
    let id = world.execution().tag("app.a", "1").tag("app.b", "2").create().await?;
    let get = async |key: &str| world.get_execution_tag(&id, key).await;
    for value in ["3", "3", "", "\u{1F980}"] {
        world.set_execution_tag(&id, "app.a", value).await?;
        expect_eq!(get("app.a").await?.as_deref(), Some(value));
        expect_eq!(get("app.b").await?.as_deref(), Some("2"), "the other tag");
    }
    Ok(())
}

/// Tags can be set when the execution has ended.
#[case(EXE_029)]
async fn after_the_end(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    world.set_execution_tag(&id, "app.k", "v").await?;
    expect_eq!(world.get_execution_tag(&id, "app.k").await?.as_deref(), Some("v"));
    Ok(())
}

/// A tag that is not set, and an execution that is not there.
#[case(EXE_030)]
async fn get(world: World) -> Verdict {
    let id = world.execution().tag("app.a", "1").create().await?;
    expect_eq!(world.get_execution_tag(&id, "app.b").await?, None, "not set");
    expect_eq!(world.get_execution_tag(&world.execution_id(), "app.a").await?, None, "not there");
    Ok(())
}

/// Keys that match.
#[case(EXE_031)]
async fn good_keys(world: World) -> Verdict {
    let id = world.execution().create().await?;
    for key in ["a.b", "a1_2.x", "app.sub.field", "x.y_z", "a.0", "a.b.", "a.b..c", "a._"] {
        world.set_execution_tag(&id, key, key).await?;
        expect_eq!(world.get_execution_tag(&id, key).await?.as_deref(), Some(key));
    }
    Ok(())
}

/// Keys that do not.
#[case(EXE_031, EXE_030)]
async fn bad_keys(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let nobody = world.execution_id();
    for key in [
        "", "A.x", "1a.x", "a", "a.", "a..x", ".a", "a b.x", "a-b.x", "a.Foo", "a.b c", "a.b\"c",
        "a.b-c", "a.b\\c", "_a.b", "ä.b", "a.b\n",
    ] {
        let refused = "validation.invalid_input";
        expect_refused!(world.set_execution_tag(&id, key, "v").await, refused, "set {key:?}");
        expect_refused!(world.get_execution_tag(&id, key).await, refused, "get {key:?}");
        expect_refused!(world.set_execution_tag(&nobody, key, "v").await, refused, "nobody");
    }
    Ok(())
}

/// Keys of 256 bytes, and of one more.
#[case(EXE_041)]
async fn long_keys(world: World) -> Verdict {
    let (longest, long) = (format!("a.{:b>254}", ""), format!("a.{:b>255}", ""));
    let id = world.execution().tag(&longest, "1").create().await?;
    let flow = world.flow().await?;
    world.set_execution_tag(&id, &longest, "2").await?;
    world.set_flow_tag(&flow, &longest, "3").await?;
    let tag = world.get_execution_tag(&id, &longest).await?;
    expect_eq!(tag.as_deref(), Some("2"), "256 bytes");
    let tag = world.get_flow_tag(&flow, &longest).await?;
    expect_eq!(tag.as_deref(), Some("3"), "256 bytes");
    let refused = "validation.invalid_input";
    let created = world.execution().tag(&long, "1").try_create().await;
    expect_refused!(created, refused);
    for (id, flow) in [(id, flow), (world.execution_id(), world.flow_id())] {
        expect_refused!(world.set_execution_tag(&id, &long, "1").await, refused);
        expect_refused!(world.get_execution_tag(&id, &long).await, refused);
        expect_refused!(world.set_flow_tag(&flow, &long, "1").await, refused);
        expect_refused!(world.get_flow_tag(&flow, &long).await, refused);
    }
    Ok(())
}

/// 256 tags, and one more, of an execution and of a flow.
#[case(EXE_042)]
async fn number(world: World) -> Verdict {
    let refused = "validation.invalid_input";
    let with = |count: usize| {
        let tags = (0..count).map(|at| (format!("app.t{at}"), "v".to_owned()));
        world.execution().with(|args| args.tags = tags.collect())
    };
    expect_refused!(with(257).try_create().await, refused, "257 tags");
    let id = with(256).create().await?;
    let flow = world.flow().await?;
    for at in 0..256 {
        world.set_flow_tag(&flow, &format!("app.t{at}"), "v").await?;
    }
    let (before, described) = (world.observe(&id).await?, world.described_flow(&flow).await?);
    expect_eq!(described.tags.len(), 256, "all of them");
    let more = world.set_execution_tag(&id, "app.more", "v").await;
    expect_refused!(more, refused, "one more");
    let more = world.set_flow_tag(&flow, "app.more", "v").await;
    expect_refused!(more, refused, "one more");
    expect_eq!(world.observe(&id).await?, before, "nothing changes");
    expect_eq!(world.described_flow(&flow).await?, described, "nothing changes");
    world.set_execution_tag(&id, "app.t0", "another").await?;
    world.set_flow_tag(&flow, "app.t0", "another").await?;
    Ok(())
}

/// A mebibyte of keys and values, and one byte more.
#[case(EXE_042)]
async fn size(world: World) -> Verdict {
    let refused = "validation.invalid_input";
    // With its key each has 65 536 bytes.
    let (value, key) = ("x".repeat(65_530), |at: usize| format!("app.{at:02}"));
    let full = |last: &str| {
        let tags = (0..15).map(|at| (key(at), value.clone()));
        let tags = tags.chain([(key(15), last.to_owned())]);
        world.execution().with(|args| args.tags = tags.collect())
    };
    let long = format!("{value}x");
    expect_refused!(full(&long).try_create().await, refused, "a byte more");
    let id = full(&value).create().await?;
    let before = world.observe(&id).await?;
    let more = world.set_execution_tag(&id, &key(3), &long).await;
    expect_refused!(more, refused, "a byte more");
    expect_eq!(world.observe(&id).await?, before, "nothing changes");
    world.set_execution_tag(&id, &key(3), "").await?;
    world.set_execution_tag(&id, &key(4), &long).await?;
    Ok(())
}

/// All reads show the same tags under their whole names.
#[case(EXE_032)]
async fn seen_alike(world: World) -> Verdict {
    let id = world.execution().tag("app.first", "1").create().await?;
    world.set_execution_tag(&id, "app.a.b.c", "2").await?;
    let described = world.describe_execution(&id).await?.map(|seen| seen.tags);
    let described = described.unwrap_or_default();
    let context = world.read_execution_context(&id).await?.tags;
    for (key, value) in [("app.first", "1"), ("app.a.b.c", "2")] {
        expect_eq!(described.get(key).map(String::as_str), Some(value), "described {key}");
        expect_eq!(context.get(key).map(String::as_str), Some(value), "context {key}");
        expect_eq!(world.get_execution_tag(&id, key).await?.as_deref(), Some(value), "{key}");
    }
    expect_eq!((described.len(), context.len()), (2, 2), "and no others");
    Ok(())
}

/// Tag, progress and renewal are modifications.
#[case(EXE_028)]
async fn modification(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let modified = async || {
        let seen = world.describe_execution(&id).await?;
        let seen = seen.ok_or_else(|| Failure::new("the execution is described"))?;
        Ok::<_, Failure>(seen.last_mutation_at)
    };
    world.pass_ms(5).await?;
    world.set_execution_tag(&id, "app.k", "v").await?;
    world.expect_time(modified().await?, world.now(), "a tag")?;
    world.pass_ms(5).await?;
    world.progress(&handle, Some(1), None).await?;
    world.expect_time(modified().await?, world.now(), "progress")?;
    world.pass_ms(5).await?;
    world.renew(&handle).await?;
    let last = modified().await?;
    world.expect_time(last, world.now(), "a renewal")?;
    world.pass_ms(5).await?;
    world.read_execution_context(&id).await?;
    expect_eq!(modified().await?, last, "a read is none");
    Ok(())
}

/// A refused key is told.
#[case(EXE_046)]
async fn told(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let flow = world.flow().await?;
    let key = "a bad key";
    let created = world.execution().tag(key, "v").try_create().await.map(|_| ());
    for (method, answer) in [
        ("create_execution", created),
        ("set_execution_tag", world.set_execution_tag(&id, key, "v").await),
        ("get_execution_tag", world.get_execution_tag(&id, key).await.map(|_| ())),
        ("set_flow_tag", world.set_flow_tag(&flow, key, "v").await),
        ("get_flow_tag", world.get_flow_tag(&flow, key).await.map(|_| ())),
    ] {
        let Err(EngineError::Validation { detail, .. }) = &answer else {
            return Err(Failure::new(format!("{method} refuses {key:?}, not {answer:?}")));
        };
        expect!(detail.contains(key), "{method} tells the key: {detail}");
    }
    Ok(())
}
