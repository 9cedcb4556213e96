//! Cascades whose caller is gone before they are over.

use ff_core::contracts::{CascadeOutcome, EdgeDependencyPolicy, OnSatisfied};
use ff_core::engine_error::EngineError;
use ff_core::state::TerminalOutcome;
use ff_core::types::ExecutionId;

use crate::case::{Case, Verdict, case};
use crate::failure::Failure;
use crate::graph::{BLOCKED, Graph, SKIPPED};
use crate::harness::Nemesis;
use crate::world::World;
use crate::written::within;

pub(super) const CASES: &[Case] = &[
    case!(
        "flows.cascade.given-up",
        ["DEP-024"],
        "A cascade is given up wherever it can be, and made again.",
        given_up
    ),
    case!(
        "flows.cascade.cut-off",
        ["DEP-024"],
        "The connection is lost with any of a cascade's requests or answers, and it is made again.",
        cut_off,
        Nemesis
    ),
];

/// More steps than a cascade has.
const STEPS: usize = 10_000;

/// A member that has failed, and all that this dooms: two of a chain, another one, and one that needs
/// either. One more waits for somebody else as well.
struct Doomed {
    graph: Graph,
    failed: ExecutionId,
    lost: Vec<ExecutionId>,
    spared: ExecutionId,
}

const ALL: CascadeOutcome = CascadeOutcome::synchronous(6, 4);
const NOTHING: CascadeOutcome = CascadeOutcome::synchronous(0, 0);

impl Doomed {
    async fn new(world: &World) -> Result<Self, Failure> {
        let mut graph = Graph::new(world).await?;
        let (failed, other) = (graph.member().await?, graph.member().await?);
        let mut lost = Vec::new();
        for _ in 0..4 {
            lost.push(graph.member().await?);
        }
        let spared = graph.member().await?;
        let any_of = EdgeDependencyPolicy::any_of(OnSatisfied::LetRun);
        graph.policy(&lost[3], any_of).await?;
        graph.policy(&spared, any_of).await?;
        for (upstream, downstream) in [
            (&failed, &lost[0]),
            (&failed, &lost[2]),
            (&lost[0], &lost[1]),
            (&lost[1], &lost[3]),
            (&lost[2], &lost[3]),
            (&lost[3], &spared),
            (&other, &spared),
        ] {
            graph.depend(upstream, downstream).await?;
        }
        graph.end(&failed, TerminalOutcome::Failed).await?;
        Ok(Self { graph, failed, lost, spared })
    }

    async fn cascade(&self) -> Result<CascadeOutcome, EngineError> {
        self.graph.cascade(&self.failed).await
    }

    /// Demands that a cascade that was made again has found all to do or nothing, and that it is done.
    async fn expect_done(&self, again: &CascadeOutcome, when: &str) -> Verdict {
        expect!(
            [ALL, NOTHING].contains(again),
            "{when}, the first cascade has happened or not, and the next finds nothing or all: {again:?}"
        );
        for member in &self.lost {
            self.graph.expect_state(member, SKIPPED).await?;
        }
        self.graph.expect_state(&self.spared, BLOCKED).await?;
        let group = self.graph.group(&self.spared).await?;
        expect_eq!((group.skipped_count, group.running_count), (1, 1), "{when}");
        Ok(())
    }
}

async fn given_up(world: World) -> Verdict {
    for steps in 1..STEPS {
        let doomed = Doomed::new(&world).await?;
        let first = within(steps, doomed.cascade()).await.transpose()?;
        let when = format!("given up after {steps} steps");
        if let Some(outcome) = &first {
            expect_eq!(*outcome, ALL, "it had not to be given up");
        }
        let again = doomed.cascade().await?;
        doomed.expect_done(&again, &when).await?;
        if first.is_some() {
            return Ok(());
        }
    }
    Err(Failure::new(format!("a cascade has less than {STEPS} steps")))
}

async fn cut_off(world: World) -> Verdict {
    lose_each(&world, "request", |nemesis, after| {
        nemesis.lose_request(after);
    })
    .await?;
    lose_each(&world, "answer", |nemesis, after| {
        nemesis.lose_answer(after);
    })
    .await
}

/// Loses each of the messages that a cascade takes, one at a time.
async fn lose_each(world: &World, message: &str, lose: fn(&dyn Nemesis, usize)) -> Verdict {
    let nemesis = world.nemesis();
    for number in 0..STEPS {
        let doomed = Doomed::new(world).await?;
        lose(nemesis, number);
        let first = doomed.cascade().await;
        if nemesis.spare() {
            expect_eq!(first, Ok(ALL), "nothing was lost");
            return Ok(());
        }
        let when = format!("{message} {number} is lost");
        let is_plausible = match &first {
            Ok(outcome) => [ALL, NOTHING].contains(outcome),
            Err(error) => matches!(error, EngineError::Transport { .. }),
        };
        expect!(is_plausible, "{when}: {first:?}");
        world.reconnect().await?;
        let again = doomed.cascade().await?;
        doomed.expect_done(&again, &when).await?;
    }
    Err(Failure::new(format!("a cascade has less than {STEPS} {message}s")))
}
