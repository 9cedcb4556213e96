//! What takes more than one transaction.

use ff_core::backend::{Namespace, ScannerFilter};
use ff_core::engine_backend::ReconcileCounts;
use ff_core::engine_error::EngineError;
use ff_core::partition::Partition;
use ff_core::types::{FlowId, WorkerInstanceId};

use super::Transactional;
use crate::session::Session;
use crate::store::{Access, Store};
use crate::{executions, flows};

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

    /// Puts the executions of a partition where the indexes should have them, some at a time (SCH-020).
    pub(super) async fn reconcile(
        &self,
        partition: Partition,
        filter: &ScannerFilter,
    ) -> Result<ReconcileCounts, EngineError> {
        self.lay_out().await?;
        let mut counts = ReconcileCounts::default();
        let mut after = None;
        loop {
            let reconcile = |again| async move {
                let access = if again { Access::WriteAgain } else { Access::Write };
                let mut tx = Session::new(self.store.begin(access).await?, access);
                let looked = executions::reconcile(&mut tx, partition, filter, after).await;
                self.conclude(tx, looked).await
            };
            let looked = self.tried(reconcile).await??;
            counts.processed += looked.counts.processed;
            counts.errors += looked.counts.errors;
            if looked.last.is_none() {
                return Ok(counts);
            }
            after = looked.last;
        }
    }
}
