//! Random graphs run to their end, each compared with an oracle.

mod oracle;
mod plan;

use ff_core::backend::Handle;
use ff_core::contracts::EdgeGroupState;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::{PublicState, TerminalOutcome};
use ff_core::types::ExecutionId;
use futures_util::stream::{self, StreamExt};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::stage::{Failure, Graph, InWorld, Need, Verdict, World, declare};
use plan::Plan;

// A hundred graphs each, so that a case ends within the time that a case has.
declare!(|topic| {
    let part = |number| {
        topic.case(
            &format!("oracle-{number}"),
            "100 random graphs end as their shape alone says.",
            &["DEP-005", "DEP-024", "DEP-043", "DEP-044", "DEP-045"],
            &[Need::Passive],
            InWorld(|world| Box::pin(every_graph(world))),
        )
    };
    (1..=5).map(part).collect()
});

const GRAPHS: usize = 100;

/// Failures to choose from.
const ENOUGH: usize = 10;

/// Graphs that run at the same time.
const AT_ONCE: usize = 8;

async fn every_graph(world: World) -> Verdict {
    let seeds: Vec<u64> = (0..GRAPHS).map(|_| world.random()).collect();
    let runs = stream::iter(seeds.into_iter().enumerate()).map(|(number, seed)| {
        let world = world.clone();
        async move {
            let mut rng = StdRng::seed_from_u64(seed);
            let plan = Plan::draw(&mut rng);
            let verdict = run(&world, &plan, &mut rng).await;
            verdict.err().map(|failure| (plan.members.len(), number, plan, failure))
        }
    });
    let failed = runs.buffer_unordered(AT_ONCE).filter_map(std::future::ready).take(ENOUGH);
    let failed: Vec<_> = failed.collect().await;
    let count = failed.len();
    // The smallest says most.
    match failed.into_iter().min_by_key(|(size, number, ..)| (*size, *number)) {
        Some((_, number, plan, failure)) => Err(Failure {
            message: format!(
                "{}, in the smallest of {count} graphs that end otherwise",
                failure.message
            ),
            story: format!("graph {number}\n{plan}").lines().map(str::to_owned).collect(),
            ..failure
        }),
        None => Ok(()),
    }
}

/// A graph under way.
struct Run<'a> {
    plan: &'a Plan,
    graph: Graph,
    ids: Vec<ExecutionId>,
    /// Members that can be ended: they are claimed, or can be.
    ready: Vec<usize>,
    /// Members that have ended, and nobody has been told.
    untold: Vec<usize>,
    handles: Vec<Option<Handle>>,
}

async fn run(world: &World, plan: &Plan, rng: &mut StdRng) -> Verdict {
    let mut run = Run::build(world, plan, rng).await?;
    // Ends and cascades come in any order, as long as there are some left.
    while !(run.ready.is_empty() && run.untold.is_empty()) {
        let tell = run.ready.is_empty() || (!run.untold.is_empty() && rng.random());
        if tell {
            run.untold.shuffle(rng);
            let again = rng.random_bool(0.2);
            run.tell(again).await?;
        } else {
            run.ready.shuffle(rng);
            run.end().await?;
        }
    }
    run.compare().await
}

impl<'a> Run<'a> {
    async fn build(world: &World, plan: &'a Plan, rng: &mut StdRng) -> Result<Self, Failure> {
        let mut graph = Graph::new(world).await?;
        let (mut ids, mut handles) = (Vec::new(), Vec::new());
        for member in &plan.members {
            let id = graph.member().await?;
            if let Some(policy) = member.policy {
                graph.policy(&id, policy).await?;
            }
            handles.push(if member.held { Some(graph.claim(&id).await?) } else { None });
            ids.push(id);
        }
        let mut staged = Vec::new();
        for edge in &plan.edges {
            let args = graph.stage(&ids[edge.from], &ids[edge.to]).await?;
            if edge.applied {
                staged.push(args);
            }
        }
        staged.shuffle(rng);
        for edge in &staged {
            graph.apply(edge).await?;
        }
        let ready = (0..ids.len()).filter(|member| plan.entering(*member).next().is_none());
        Ok(Self { ready: ready.collect(), untold: Vec::new(), plan, graph, ids, handles })
    }

    /// Ends the last of the members that can be.
    async fn end(&mut self) -> Verdict {
        let Some(member) = self.ready.pop() else {
            return Ok(());
        };
        let outcome = self.plan.members[member].outcome;
        match self.handles[member].take() {
            Some(handle) => self.graph.end_under(&handle, outcome).await?,
            None => self.graph.end(&self.ids[member], outcome).await?,
        }
        self.untold.push(member);
        Ok(())
    }

    /// Tells those that depend on the last of the members that have ended.
    async fn tell(&mut self, again: bool) -> Verdict {
        let Some(member) = self.untold.pop() else {
            return Ok(());
        };
        for _ in 0..=u8::from(again) {
            self.graph.cascade(&self.ids[member]).await?;
        }
        let mut below: Vec<usize> = self.plan.leaving(member).map(|edge| edge.to).collect();
        below.sort_unstable();
        below.dedup();
        for dependent in below {
            if self.may_run(dependent).await? && !self.has_been_ready(dependent) {
                self.ready.push(dependent);
            }
        }
        Ok(())
    }

    /// Whether a member can be claimed, or goes on being held now that its group is satisfied.
    async fn may_run(&self, member: usize) -> Result<bool, Failure> {
        let id = &self.ids[member];
        match self.graph.world.read_execution_state(id).await? {
            Some(PublicState::Waiting) => Ok(true),
            Some(PublicState::Active) => {
                let group = self.graph.group(id).await?;
                Ok(group.group_state == EdgeGroupState::Satisfied)
            }
            _ => Ok(false),
        }
    }

    fn has_been_ready(&self, member: usize) -> bool {
        self.ready.contains(&member) || self.untold.contains(&member)
    }

    /// Asserts of every member and every group what the oracle says.
    async fn compare(&self) -> Verdict {
        let world = &self.graph.world;
        let fates = oracle::fates(self.plan);
        for (member, id) in self.ids.iter().enumerate() {
            let expected = match fates[member] {
                TerminalOutcome::Success => PublicState::Completed,
                TerminalOutcome::Failed => PublicState::Failed,
                TerminalOutcome::Cancelled => PublicState::Cancelled,
                _ => PublicState::Skipped,
            };
            let seen = world.read_execution_state(id).await?;
            expect_eq!(seen, Some(expected), "the end of member {member}");
            if let Some(handle) = &self.handles[member] {
                let answer = world.complete(handle, None).await;
                expect_refused!(answer, "contention.execution_not_active");
            }
        }
        let flow = world.described_flow(&self.graph.flow).await?;
        let members = self.ids.iter().enumerate();
        let mut expected: Vec<_> = members
            .filter_map(|(member, id)| oracle::group(self.plan, &fates, member, id))
            .collect();
        expected
            .sort_by(|one, other| one.downstream_execution_id.cmp(&other.downstream_execution_id));
        expect_eq!(flow.edge_groups, expected, "the groups");
        Ok(())
    }
}
