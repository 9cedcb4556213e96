//! Tags of executions.

use ff_core::engine_backend::EngineBackend;

use crate::case::{Case, Verdict, case};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    case!(
        "executions.tags.set",
        ["EXE-029"],
        "A tag is set, replaced, emptied, and leaves the others alone.",
        set
    ),
    case!(
        "executions.tags.after-the-end",
        ["EXE-029"],
        "Tags can be set when the execution has ended.",
        after_the_end
    ),
    case!(
        "executions.tags.get",
        ["EXE-030"],
        "A tag that is not set, and an execution that is not there.",
        get
    ),
    case!(
        "executions.tags.good-keys",
        ["EXE-031"],
        "Keys that match.",
        good_keys
    ),
    case!(
        "executions.tags.bad-keys",
        ["EXE-031", "EXE-030"],
        "Keys that do not.",
        bad_keys
    ),
    case!(
        "executions.tags.seen-alike",
        ["EXE-032"],
        "All reads show the same tags under their whole names.",
        seen_alike
    ),
    case!(
        "executions.tags.modification",
        ["EXE-028"],
        "Tag, progress and renewal are modifications.",
        modification,
        Clock
    ),
];

async fn set(world: World) -> Verdict {
    let id = world
        .execution()
        .tag("app.a", "1")
        .tag("app.b", "2")
        .create()
        .await?;
    let get = async |key: &str| world.get_execution_tag(&id, key).await;
    for value in ["3", "3", "", "\u{1F980}"] {
        world.set_execution_tag(&id, "app.a", value).await?;
        expect_eq!(get("app.a").await?.as_deref(), Some(value));
        expect_eq!(get("app.b").await?.as_deref(), Some("2"), "the other tag");
    }
    Ok(())
}

async fn after_the_end(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    world.complete(&handle, None).await?;
    world.set_execution_tag(&id, "app.k", "v").await?;
    expect_eq!(
        world.get_execution_tag(&id, "app.k").await?.as_deref(),
        Some("v")
    );
    Ok(())
}

async fn get(world: World) -> Verdict {
    let id = world.execution().tag("app.a", "1").create().await?;
    expect_eq!(
        world.get_execution_tag(&id, "app.b").await?,
        None,
        "not set"
    );
    expect_eq!(
        world
            .get_execution_tag(&world.execution_id(), "app.a")
            .await?,
        None,
        "not there"
    );
    Ok(())
}

async fn good_keys(world: World) -> Verdict {
    let id = world.execution().create().await?;
    for key in [
        "a.b",
        "a1_2.x",
        "app.sub.field",
        "x.y_z",
        "a.0",
        "a.b.",
        "a.b..c",
        "a._",
    ] {
        world.set_execution_tag(&id, key, key).await?;
        expect_eq!(
            world.get_execution_tag(&id, key).await?.as_deref(),
            Some(key)
        );
    }
    Ok(())
}

async fn bad_keys(world: World) -> Verdict {
    let id = world.execution().create().await?;
    let nobody = world.execution_id();
    for key in [
        "", "A.x", "1a.x", "a", "a.", "a..x", ".a", "a b.x", "a-b.x", "a.Foo", "a.b c", "a.b\"c",
        "a.b-c", "a.b\\c", "_a.b", "ä.b", "a.b\n",
    ] {
        let refused = "validation.invalid_input";
        expect_refused!(
            world.set_execution_tag(&id, key, "v").await,
            refused,
            "set {key:?}"
        );
        expect_refused!(
            world.get_execution_tag(&id, key).await,
            refused,
            "get {key:?}"
        );
        expect_refused!(
            world.set_execution_tag(&nobody, key, "v").await,
            refused,
            "nobody"
        );
    }
    Ok(())
}

async fn seen_alike(world: World) -> Verdict {
    let id = world.execution().tag("app.first", "1").create().await?;
    world.set_execution_tag(&id, "app.a.b.c", "2").await?;
    let described = world.describe_execution(&id).await?.map(|seen| seen.tags);
    let described = described.unwrap_or_default();
    let context = world.read_execution_context(&id).await?.tags;
    for (key, value) in [("app.first", "1"), ("app.a.b.c", "2")] {
        expect_eq!(
            described.get(key).map(String::as_str),
            Some(value),
            "described {key}"
        );
        expect_eq!(
            context.get(key).map(String::as_str),
            Some(value),
            "context {key}"
        );
        expect_eq!(
            world.get_execution_tag(&id, key).await?.as_deref(),
            Some(value),
            "{key}"
        );
    }
    expect_eq!((described.len(), context.len()), (2, 2), "and no others");
    Ok(())
}

async fn modification(world: World) -> Verdict {
    let (id, handle) = world.claimed().await?;
    let modified = async || {
        let seen = world.describe_execution(&id).await?;
        Ok::<_, crate::Failure>(seen.map(|seen| seen.last_mutation_at))
    };
    world.advance_ms(5);
    world.set_execution_tag(&id, "app.k", "v").await?;
    expect_eq!(modified().await?, Some(world.now()), "a tag");
    world.advance_ms(5);
    world.progress(&handle, Some(1), None).await?;
    expect_eq!(modified().await?, Some(world.now()), "progress");
    world.advance_ms(5);
    world.renew(&handle).await?;
    expect_eq!(modified().await?, Some(world.now()), "a renewal");
    let last = world.now();
    world.advance_ms(5);
    world.read_execution_context(&id).await?;
    expect_eq!(modified().await?, Some(last), "a read is none");
    Ok(())
}
