//! What becomes of tags.

use ff_core::backend::ScannerFilter;
use ff_core::engine_backend::EngineBackend;
use ff_core::stream_events::InstanceTagEvent;
use ff_core::types::ExecutionId;

use crate::stage::{CALLERS_NOW, FIRST, Following, Verdict, World, cancellation, case};

type Tags = Following<InstanceTagEvent>;

/// Asserts what happened to tags of an execution, in order.
async fn expect_tags(tags: &mut Tags, id: &ExecutionId, expected: &[(&str, &str)]) -> Verdict {
    for (kind, tag) in expected {
        let event = tags.next().await?;
        let seen = match &event {
            InstanceTagEvent::Attached { execution_id, tag, .. } => ("attached", execution_id, tag),
            InstanceTagEvent::Cleared { execution_id, tag, .. } => ("cleared", execution_id, tag),
            _ => ("unknown", id, &String::new()),
        };
        expect_eq!((seen.0, seen.1, seen.2.as_str()), (*kind, id, *tag), "the next tag");
    }
    Ok(())
}

/// Set, set anew, set to the same, and on a flow.
#[case(EVT_019)]
async fn set(world: World) -> Verdict {
    let mut tags = world.follow::<InstanceTagEvent>().await?;
    let (id, flow) = (world.execution().create().await?, world.flow().await?);
    for value in ["one", "one", "two"] {
        world.set_execution_tag(&id, "app.key", value).await?;
        world.set_flow_tag(&flow, "app.key", value).await?;
    }
    world.set_execution_tag(&id, "app.other", "").await?;
    let expected = [
        ("attached", "app.key=one"),
        ("cleared", "app.key=one"),
        ("attached", "app.key=two"),
        ("attached", "app.other="),
    ];
    expect_tags(&mut tags, &id, &expected).await
}

/// With a creation that is repeated, and with retention.
#[case(EVT_020)]
async fn for_a_life(world: World) -> Verdict {
    let mut tags = world.follow::<InstanceTagEvent>().await?;
    let one =
        || world.execution_in(FIRST).tag("b.key", "x=y").tag("a.key", "1").tag("a_b.key", "2");
    let id = one().create().await?;
    one().id(&id).try_create().await?;
    world.cancel_execution(cancellation(&id)).await?;
    let (home, lane) = (world.partition_of(&id), world.lane_of(&id));
    world.trim_retention(home, &lane, 0, CALLERS_NOW, 10, &ScannerFilter::NOOP).await?;
    let all = ["a.key=1", "a_b.key=2", "b.key=x=y"];
    let expected = [all.map(|tag| ("attached", tag)), all.map(|tag| ("cleared", tag))].concat();
    expect_tags(&mut tags, &id, &expected).await
}
