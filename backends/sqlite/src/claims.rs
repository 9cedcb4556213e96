//! What claims look at: one index, walked per requirement set.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use ff_core::types::{LaneId, TimestampMs};
use ff_transactional::{Execution, StoreError, requirements};
use uuid::Uuid;

use crate::row;
use crate::transaction::SqliteTx;

type Result<T> = std::result::Result<T, StoreError>;

impl SqliteTx {
    /// The distinct requirement sets among the lane's claimable executions.
    pub(crate) async fn read_requirements(
        &mut self,
        lane: &LaneId,
    ) -> Result<Vec<BTreeSet<String>>> {
        // Jumps from one set to the next in the index, so that the backlog's length costs nothing.
        let sql = "WITH RECURSIVE sets (requirements) AS ( \
                     SELECT min(requirements) FROM ff_exec_core \
                     WHERE lane_id = ?1 AND lifecycle_phase = 'runnable' \
                       AND ownership_state = 'unowned' AND eligibility_state = 'eligible_now' \
                       AND attempt_state <> 'attempt_interrupted' \
                     UNION ALL \
                     SELECT (SELECT min(e.requirements) FROM ff_exec_core e \
                       WHERE e.lane_id = ?1 AND e.lifecycle_phase = 'runnable' \
                         AND e.ownership_state = 'unowned' \
                         AND e.eligibility_state = 'eligible_now' \
                         AND e.attempt_state <> 'attempt_interrupted' \
                         AND e.requirements > sets.requirements) \
                     FROM sets WHERE sets.requirements IS NOT NULL) \
                   SELECT requirements FROM sets WHERE requirements IS NOT NULL";
        let rows = self.all(sqlx::query(sql).bind(lane.0.clone())).await?;
        rows.iter()
            .map(|found| {
                Ok(requirements::split(&row::get::<String>(
                    found,
                    "requirements",
                )?))
            })
            .collect()
    }

    /// The first of the heads of these sets, in the order of the index.
    pub(crate) async fn read_first_claimable(
        &mut self,
        lane: &LaneId,
        sets: &[BTreeSet<String>],
    ) -> Result<Option<Execution>> {
        let sql = "SELECT * FROM ff_exec_core \
                   WHERE lane_id = ? AND requirements = ? AND lifecycle_phase = 'runnable' \
                     AND ownership_state = 'unowned' AND eligibility_state = 'eligible_now' \
                     AND attempt_state <> 'attempt_interrupted' \
                   ORDER BY priority DESC, created_at, partition_key, execution_id LIMIT 1";
        let mut first: Option<Execution> = None;
        for set in sets {
            let lookup = sqlx::query(sql)
                .bind(lane.0.clone())
                .bind(requirements::join(set));
            let found = self.one(lookup).await?;
            let found = found.as_ref().map(row::decode).transpose()?;
            first = [first, found].into_iter().flatten().min_by_key(place);
        }
        Ok(first)
    }
}

/// An execution's place in the index that claims walk: partitions are numbers there, while ids compare
/// as text.
fn place(execution: &Execution) -> (Reverse<i32>, TimestampMs, u16, Uuid) {
    let id = &execution.id;
    let age = execution.created_at;
    (Reverse(execution.priority), age, id.partition(), id.uuid())
}
