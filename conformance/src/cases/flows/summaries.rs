//! Summaries of flows.

use ff_core::contracts::{EdgeDependencyPolicy, EdgeDirection, OnSatisfied};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::{Partition, PartitionFamily, flow_partition};
use ff_core::state::TerminalOutcome;
use ff_core::types::FlowId;

use crate::stage::{CALLERS_NOW, Failure, Graph, Verdict, World, case};

impl World {
    async fn project(&self, flow: &FlowId) -> Result<bool, Failure> {
        let home = flow_partition(flow, &self.partitions());
        let now = CALLERS_NOW;
        Ok(self.project_flow_summary(home, flow, now).await?)
    }
}

/// Flows with members and without, open and closed, and an unknown one.
#[case(FLW_031)]
async fn result(world: World) -> Verdict {
    expect_eq!(world.project(&world.flow_id()).await?, false, "no flow");
    let flow = world.flow().await?;
    expect_eq!(world.project(&flow).await?, false, "no members");
    let (id, handle) = world.execution_for(&flow).claimed().await?;
    world.join(&flow, &id).await?;
    for _ in 0..2 {
        expect_eq!(world.project(&flow).await?, true, "a member");
    }
    world.complete(&handle, None).await?;
    expect_eq!(world.project(&flow).await?, true, "a member that has ended");
    world.close(&flow).await?;
    expect_eq!(world.project(&flow).await?, true, "a closed flow");
    let empty = world.flow().await?;
    world.close(&empty).await?;
    expect_eq!(world.project(&empty).await?, false, "closed and empty");
    Ok(())
}

/// Partitions that are not the flow's.
#[case(FLW_007)]
async fn partition(world: World) -> Verdict {
    let flow = world.flow().await?;
    world.member(&flow).await?;
    let home = flow_partition(&flow, &world.partitions());
    let of = |family, index| Partition { family, index };
    for id in [flow, world.flow_id()] {
        let own = flow_partition(&id, &world.partitions());
        for wrong in [
            of(PartitionFamily::Budget, own.index),
            of(PartitionFamily::Quota, own.index),
            of(own.family, own.index + 1),
        ] {
            let answer = world.project_flow_summary(wrong, &id, CALLERS_NOW).await;
            expect_refused!(answer, "validation.invalid_input", "{wrong:?}");
        }
    }
    for family in [PartitionFamily::Flow, PartitionFamily::Execution] {
        let alias = of(family, home.index);
        let now = CALLERS_NOW;
        expect!(
            world.project_flow_summary(alias, &flow, now).await?,
            "both families are the flow's"
        );
    }
    Ok(())
}

/// Everything that shows a flow shows it as before.
#[case(FLW_033)]
async fn unseen(world: World) -> Verdict {
    let mut graph = Graph::new(&world).await?;
    let (up, down) = (graph.member().await?, graph.member().await?);
    let any_of = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
    graph.policy(&down, any_of).await?;
    graph.depend(&up, &down).await?;
    graph.end(&up, TerminalOutcome::Failed).await?;
    world.set_flow_tag(&graph.flow, "app.key", "value").await?;
    let flow = graph.flow;
    let key = world.partition_key_of_flow(&flow);
    for is_open in [true, false] {
        let look = async || {
            let from_node = up.clone();
            let direction = EdgeDirection::Outgoing { from_node };
            let members = [world.observe(&up).await?, world.observe(&down).await?];
            let described = world.described_flow(&flow).await?;
            let edges = world.list_edges(&flow, direction).await?;
            let listed = world.list_flows(key.clone(), None, 10).await?;
            Ok::<_, Failure>((members, described, edges, listed))
        };
        let before = look().await?;
        world.pass_ms(50).await?;
        world.project(&flow).await?;
        expect_eq!(look().await?, before, "open: {is_open}");
        world.close(&flow).await?;
    }
    Ok(())
}
