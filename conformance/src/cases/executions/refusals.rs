//! Creations that are refused.

use ff_core::engine_backend::EngineBackend;
use ff_core::types::TimestampMs;

use crate::case::{Case, Verdict, case};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    case!(
        "executions.create.bad-lane",
        ["EXE-003"],
        "Lane names that are empty, long or not printable ASCII.",
        bad_lane
    ),
    case!(
        "executions.create.longest-lane",
        ["EXE-003"],
        "64 bytes, from space to tilde, are a lane name.",
        longest_lane
    ),
    case!(
        "executions.create.wrong-partition",
        ["EXE-003"],
        "A partition that is not the id's, or does not exist.",
        wrong_partition
    ),
    case!(
        "executions.create.impossible-times",
        ["EXE-003"],
        "Delays and deadlines at the epoch or before.",
        impossible_times
    ),
    case!(
        "executions.create.bad-capabilities",
        ["EXE-004"],
        "Requirements that are empty, have a comma, white space or control characters.",
        bad_capabilities
    ),
    case!(
        "executions.create.too-many-capabilities",
        ["EXE-004"],
        "257 tokens, or 4 097 bytes, are too many; 256 and 4 096 are not.",
        too_many_capabilities
    ),
    case!(
        "executions.create.bad-tags",
        ["EXE-005"],
        "One malformed key among good ones.",
        bad_tags
    ),
];

async fn bad_lane(world: World) -> Verdict {
    for lane in ["", "tab\there", "new\nline", "ünïcode", "del\u{7f}", &"x".repeat(65)] {
        let broken = world.execution().lane(lane);
        let id = broken.args().execution_id;
        expect_refused!(broken.try_create().await, "validation.invalid_input", "lane {lane:?}");
        expect_eq!(world.describe_execution(&id).await?, None, "lane {lane:?} stores nothing");
    }
    Ok(())
}

async fn longest_lane(world: World) -> Verdict {
    let lane = format!(" ~,{}", "x".repeat(61));
    let id = world.execution().lane(&lane).create().await?;
    expect_eq!(world.worker().lane(&lane).claims().await?, Some(id), "its work can be claimed");
    Ok(())
}

async fn wrong_partition(world: World) -> Verdict {
    let refused = "validation.invalid_input";
    let other = world.execution().with(|args| args.partition_id += 1);
    expect_refused!(other.try_create().await, refused, "not the id's");
    let beyond = world.execution_id_in(world.partitions().num_flow_partitions);
    expect_refused!(world.execution().id(&beyond).try_create().await, refused, "beyond the last");
    let last = world.execution_id_in(world.partitions().num_flow_partitions - 1);
    world.execution().id(&last).create().await?;
    Ok(())
}

async fn impossible_times(world: World) -> Verdict {
    for at in [0, -1] {
        let at = Some(TimestampMs(at));
        let refused = "validation.invalid_input";
        let delay = world.execution().with(|args| args.delay_until = at);
        expect_refused!(delay.try_create().await, refused, "a delay until {at:?}");
        let deadline = world.execution().with(|args| args.execution_deadline_at = at);
        expect_refused!(deadline.try_create().await, refused, "a deadline at {at:?}");
    }
    Ok(())
}

async fn bad_capabilities(world: World) -> Verdict {
    for token in ["", "a,b", "a b", "a\tb", "a\u{1}b", "\u{a0}"] {
        let broken = world.execution().requires(&["good", token]);
        let id = broken.args().execution_id;
        let answer = broken.try_create().await;
        expect_refused!(answer, "validation.invalid_capabilities", "token {token:?}");
        expect_eq!(world.describe_execution(&id).await?, None, "token {token:?} stores nothing");
    }
    Ok(())
}

async fn too_many_capabilities(world: World) -> Verdict {
    let refused = "validation.invalid_capabilities";
    let many: Vec<String> = (0..257).map(|n| format!("t{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    expect_refused!(world.execution().requires(&many).try_create().await, refused, "257 tokens");
    world.execution().requires(&many[..256]).create().await?;
    let (half, rest) = ("a".repeat(2_000), "b".repeat(2_095));
    world.execution().requires(&[&half, &rest]).create().await?;
    let rest = rest + "b";
    let answer = world.execution().requires(&[&half, &rest]).try_create().await;
    expect_refused!(answer, refused, "4 097 bytes");
    Ok(())
}

async fn bad_tags(world: World) -> Verdict {
    for key in ["", "nodot", "Upper.case", "app.", ".app", "app.with space"] {
        let broken = world.execution().tag("app.good", "v").tag(key, "v");
        let id = broken.args().execution_id;
        expect_refused!(broken.try_create().await, "validation.invalid_input", "key {key:?}");
        expect_eq!(world.describe_execution(&id).await?, None, "key {key:?} stores nothing");
    }
    Ok(())
}
