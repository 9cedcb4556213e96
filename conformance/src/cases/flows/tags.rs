//! Tags of flows.

use std::collections::BTreeMap;

use ff_core::engine_backend::EngineBackend;
use futures_util::future::try_join_all;

use crate::stage::{Verdict, World, case};

/// Set, replaced and emptied.
#[case(FLW_029, FLW_030)]
async fn set(world: World) -> Verdict {
    let id = world.flow().await?;
    let other = world.flow().await?;
    expect_eq!(world.get_flow_tag(&id, "app.k").await?, None, "not set");
    for value in ["v", "", "long \u{1f600} value", "7"] {
        world.set_flow_tag(&id, "app.k", value).await?;
        let read = world.get_flow_tag(&id, "app.k").await?;
        expect_eq!(read.as_deref(), Some(value), "the last value");
    }
    world.set_flow_tag(&id, "app.k2", "two").await?;
    let first = world.get_flow_tag(&id, "app.k").await?;
    expect_eq!(first.as_deref(), Some("7"), "the other stays");
    expect_eq!(world.get_flow_tag(&other, "app.k").await?, None, "another's");
    Ok(())
}

/// A description has all tags.
#[case(FLW_038)]
async fn described(world: World) -> Verdict {
    let id = world.flow().await?;
    let tags = [("app.k", "7"), ("app.k2", "two"), ("app.k3", "")];
    for (key, value) in tags {
        world.set_flow_tag(&id, key, value).await?;
    }
    let expected: BTreeMap<_, _> = tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    expect_eq!(world.described_flow(&id).await?.tags, expected, "all of them");
    Ok(())
}

/// Tags of a flow that is not there.
#[case(FLW_029, FLW_030)]
async fn nobody(world: World) -> Verdict {
    let id = world.flow_id();
    expect_refused!(
        world.set_flow_tag(&id, "app.k", "v").await,
        "not_found.flow",
        "nothing to tag"
    );
    expect_eq!(world.get_flow_tag(&id, "app.k").await?, None, "no flow");
    world.create_flow(world.flow_args(id)).await?;
    expect_eq!(world.get_flow_tag(&id, "app.k").await?, None, "no trace");
    Ok(())
}

/// Keys that are not allowed, on known and unknown flows.
#[case(FLW_028)]
async fn keys(world: World) -> Verdict {
    let known = world.flow().await?;
    for id in [known, world.flow_id()] {
        for key in ["", "app", "app.", ".k", "App.k", "1.k", "app.K", "app.k\n", "app.\u{e9}"] {
            let refused = "validation.invalid_input";
            expect_refused!(world.set_flow_tag(&id, key, "v").await, refused, "{key:?}");
            expect_refused!(world.get_flow_tag(&id, key).await, refused, "{key:?}");
        }
    }
    expect_eq!(world.described_flow(&known).await?.tags, BTreeMap::new(), "none was set");
    Ok(())
}

/// Values with U+0000 or too long.
#[case(SYS_018, SYS_032)]
async fn texts(world: World) -> Verdict {
    let id = world.flow().await?;
    for value in ["a\0b".to_owned(), "x".repeat(65_537)] {
        let answer = world.set_flow_tag(&id, "app.k", &value).await;
        expect_refused!(answer, "validation.invalid_input", "{} bytes", value.len());
    }
    let longest = "x".repeat(65_536);
    world.set_flow_tag(&id, "app.k", &longest).await?;
    expect_eq!(world.get_flow_tag(&id, "app.k").await?, Some(longest));
    Ok(())
}

/// A cancelled flow is tagged like any other.
#[case(FLW_029, CAN_015)]
async fn cancelled(world: World) -> Verdict {
    let id = world.flow().await?;
    world.set_flow_tag(&id, "app.k", "before").await?;
    world.close(&id).await?;
    expect_eq!(
        world.get_flow_tag(&id, "app.k").await?.as_deref(),
        Some("before"),
        "what was set stays"
    );
    world.set_flow_tag(&id, "app.k", "after").await?;
    expect_eq!(world.get_flow_tag(&id, "app.k").await?.as_deref(), Some("after"));
    Ok(())
}

/// Many keys at once.
#[case(FLW_030, needs(concurrency))]
async fn at_once(world: World) -> Verdict {
    let id = world.flow().await?;
    let keys: Vec<String> = (0..16).map(|number| format!("app.k{number}")).collect();
    let set = keys.iter().map(|key| world.set_flow_tag(&id, key, key));
    try_join_all(set).await?;
    for key in &keys {
        expect_eq!(world.get_flow_tag(&id, key).await?.as_ref(), Some(key), "none is lost");
    }
    Ok(())
}
