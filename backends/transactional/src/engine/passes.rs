//! What takes more than one transaction.

use ff_core::backend::Namespace;
use ff_core::call::Call;
use ff_core::engine_backend::ReconcileCounts;
use ff_core::engine_error::EngineError;
use ff_core::types::{FlowId, WorkerInstanceId};
use uuid::Uuid;

use super::{Rule, Transactional};
use crate::page::{Looked, Pass};
use crate::session::Session;
use crate::store::{Access, Store, Tx};
use crate::{executions, flows, metering};

impl<S: Store> Transactional<S> {
    /// Whether no member of a cancelled flow is left to others (CAN-013).
    pub(super) async fn backlog_is_done(&self, flow: &FlowId) -> Result<bool, EngineError> {
        let look = |_| async {
            let mut tx = Session::new(self.store.begin(Access::Read).await?, Access::Read);
            let left = flows::has_backlog(&mut tx, flow).await?;
            tx.leave().await.map(|()| left)
        };
        self.tried(look).await.map(|left| !left)
    }

    /// Lifts the route blocks that are there for want of this worker, some at a time (WRK-014).
    pub(super) async fn lift_routes(
        &self,
        namespace: &Namespace,
        instance: &WorkerInstanceId,
    ) -> Result<(), EngineError> {
        let lift = |again| async move {
            let access = if again { Access::WriteAgain } else { Access::Write };
            let mut tx = Session::new(self.store.begin(access).await?, access);
            let lifted = executions::lift_routes(&mut tx, namespace, instance).await;
            self.conclude(tx, lifted).await
        };
        while self.tried(lift).await?? {}
        Ok(())
    }

    /// Sees to the records of a partition, some at a time (SCH-020, BUD-026, QUO-017).
    pub(super) async fn reconcile(&self, call: &Call) -> Result<ReconcileCounts, EngineError> {
        self.lay_out().await?;
        let mut pass = Pass::default();
        let mut after = None;
        loop {
            let reconcile = |again| async move {
                let access = if again { Access::WriteAgain } else { Access::Write };
                let mut tx = Session::new(self.store.begin(access).await?, access);
                let looked = look(&mut tx, call, after).await;
                self.conclude(tx, looked).await
            };
            let looked = self.tried(reconcile).await??;
            let (last, again) = (looked.last, looked.again);
            pass.add(looked);
            if !again && last.is_none() {
                return Ok(pass.counts());
            }
            after = if again { after } else { last };
        }
    }
}

/// One page of a pass.
async fn look<T: Tx>(tx: &mut Session<T>, call: &Call, after: Option<Uuid>) -> Rule<Looked> {
    match call {
        Call::ReconcileExecutionIndex { partition, filter, .. } => {
            executions::reconcile(tx, partition.index, filter, after).await
        }
        Call::ReconcileBudgetCounters { partition, .. } => {
            metering::reconcile_budgets(tx, partition.index, after).await
        }
        Call::ReconcileQuotaCounters { partition, .. } => {
            metering::reconcile_quotas(tx, partition.index, after).await
        }
        other => Err(EngineError::Unavailable { op: other.method().as_str() }.into()),
    }
}
