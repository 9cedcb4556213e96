//! Blocked routes are known in their partitions; a worker that comes lifts those of all of them.

use std::collections::BTreeSet;

use ff_core::engine_error::EngineError;
use ff_core::types::LaneId;
use serde::{Deserialize, Serialize};

use crate::everywhere::everywhere;
use crate::server::{Answer, Server, transport};
use crate::wire::Wire;

/// What the registry says of a sign of life.
#[derive(Deserialize)]
pub(crate) struct Sign<O> {
    pub(crate) outcome: O,
    pub(crate) routes: Routes,
}

/// What the worker could run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Routes {
    lanes: BTreeSet<LaneId>,
    capabilities: BTreeSet<String>,
}

impl Routes {
    /// Lifts the blocks that are there for want of such a worker (WRK-014), and passes on which partition has new
    /// work. That nothing is blocked, as most find, takes one command.
    pub(crate) async fn lift(
        &self,
        server: &Server,
        partitions: u16,
        mut new_work: impl FnMut(u16, &Answer),
    ) -> Result<(), EngineError> {
        let arguments = Wire::of(self).map_err(transport)?;
        while self.has_any(server, partitions).await? {
            let lifted =
                everywhere(server, "lift_routes", false, 0..partitions, &arguments).await?;
            let mut more = false;
            for (partition, answer) in (0..).zip(lifted) {
                let answer = answer?;
                new_work(partition, &answer);
                more |= answer.content.into::<bool>().map_err(transport)?;
            }
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Whether anything is blocked on the worker's lanes.
    async fn has_any(&self, server: &Server, partitions: u16) -> Result<bool, EngineError> {
        if self.lanes.is_empty() {
            return Ok(false);
        }
        // As `sets` in `lua/partition.lua`.
        let mut any = server.client.cmd("EXISTS");
        for partition in 0..partitions {
            for lane in &self.lanes {
                let tag = server.tag(partition);
                any = any.arg(format!("{tag}:routed.sets:{}:{lane}", lane.as_str().len()));
            }
        }
        let any: u64 = any.execute().await.map_err(transport)?;
        Ok(any > 0)
    }
}
