//! Budgets that keep executions from claims.

use ff_core::backend::Handle;
use ff_core::call::Method;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::types::{BudgetId, ExecutionId};

use crate::stage::{ExecutionBuilder, Failure, Verdict, Way, World, case};

impl ExecutionBuilder {
    /// Its policy names these budgets.
    #[must_use]
    pub(crate) fn budgets(self, budgets: &[BudgetId]) -> Self {
        self.policy(|policy| policy.budget_ids = budgets.to_vec())
    }
}

impl World {
    /// What claims of either kind take, until they find nothing.
    async fn taken(&self, method: Method) -> Result<Vec<ExecutionId>, Failure> {
        let mut taken = Vec::new();
        loop {
            let next = if method == Method::Claim {
                let handle: Option<Handle> = self.worker().try_claim().await?;
                match handle {
                    Some(handle) => Some(self.held_by(&handle).await?),
                    None => None,
                }
            } else {
                self.assigns().await?
            };
            match next {
                Some(id) => taken.push(id),
                None => return Ok(taken),
            }
        }
    }

    /// The execution that a handle of its attempt stands for.
    async fn held_by(&self, handle: &Handle) -> Result<ExecutionId, Failure> {
        for id in self.created() {
            if self.field(&id, "ownership_state").await?.as_deref() == Some("leased") {
                ff_core::engine_backend::EngineBackend::complete(&**self, handle, None).await?;
                return Ok(id);
            }
        }
        Err(Failure::new("a claim begins a lease".to_owned()))
    }

    /// The methods that consult budgets.
    fn consulting(&self) -> impl Iterator<Item = Method> {
        let methods = [Method::Claim, Method::ClaimForWorker];
        methods.into_iter().filter(|method| self.claims(*method))
    }
}

/// One budget of two, in front of others; reached, not reached, and not limited.
#[case(BUD_045)]
async fn denied(world: World) -> Verdict {
    for method in world.consulting() {
        let full = world.budget(&[("cost", 5, 0), ("calls", 0, 0)]).await?;
        let open = world.budget(&[("cost", 5, 0), ("calls", 0, 1)]).await?;
        let unknown = world.budget_id();
        let first = world.execution().priority(9).budgets(&[open, full]).create().await?;
        let second = world.execution().priority(8).budgets(&[open, unknown]).create().await?;
        let third = world.execution().create().await?;
        world.counts(&Way::Operator, &full, &[("cost", 5)]).await?;
        let way = Way::Operator;
        world.report(&way, &open, &[("cost", 4), ("calls", 9)], None).await?;
        world.counts(&way, &unknown, &[("cost", 99)]).await?;
        let taken = world.taken(method).await?;
        expect_eq!(taken, [second, third], "what {} takes", method.as_str());
        world.reset(&full).await?;
        match world.unblock(&first, "waiting_for_budget").await {
            // A backend that works by itself may have lifted it.
            Ok(()) | Err(EngineError::Contention(ContentionKind::ExecutionNotEligible)) => {}
            Err(error) => return Err(error.into()),
        }
        expect_eq!(world.taken(method).await?, [first], "what {} takes then", method.as_str());
    }
    Ok(())
}

/// With the budget in the detail, and claimed once there is room and the block is lifted.
#[case(BUD_046)]
async fn blocked(world: World) -> Verdict {
    for method in world.consulting() {
        let budget = world.budget(&[("cost", 5, 0)]).await?;
        let id = world.execution().budgets(&[budget]).create().await?;
        world.counts(&Way::Operator, &budget, &[("cost", 5)]).await?;
        let detail = budget.to_string();
        let expected = [
            ("eligibility_state", "blocked_by_budget"),
            ("blocking_reason", "waiting_for_budget"),
            ("blocking_detail", detail.as_str()),
            ("public_state", "rate_limited"),
        ];
        for _ in 0..2 {
            expect_eq!(world.taken(method).await?, [], "it is kept from {}", method.as_str());
            world.expect_fields(&id, expected).await?;
            world.unblock(&id, "waiting_for_budget").await?;
        }
        world.reset(&budget).await?;
        expect_eq!(world.taken(method).await?, [id], "there is room");
    }
    Ok(())
}

/// By an operator, and by a grant.
#[case(BUD_047)]
async fn named(world: World) -> Verdict {
    let budget = world.budget(&[("cost", 5, 0)]).await?;
    world.counts(&Way::Operator, &budget, &[("cost", 5)]).await?;
    let id = world.execution().budgets(&[budget]).create().await?;
    world.claim_as_operator(&id).await?;
    let id = world.execution().budgets(&[budget]).create().await?;
    world.grant(world.granting(&id)).await?;
    world.redeem(world.redeeming(&id)).await?;
    Ok(())
}
