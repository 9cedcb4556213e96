//! Finding work among the partitions.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use ferriskey::PipeSlot;
use ff_core::backend::{BackendTag, CapabilitySet, Handle, HandleKind, HandlePayload};
use ff_core::engine_error::EngineError;
use ff_core::types::LaneId;
use ff_transactional::requirements;

use crate::server::{Server, transport};
use crate::wire::Wire;

/// Partitions in which the last look found work, by lane: each is tried once before the next look,
/// so that none is served to the end while others wait.
#[derive(Default)]
pub(crate) struct Claims {
    found: Mutex<HashMap<LaneId, VecDeque<u16>>>,
}

impl Claims {
    /// Takes fresh work, wherever it is. One round trip if the last look's findings hold; at most two
    /// to see that there is none, as one look sees all partitions at one instant (CLM-002); at most
    /// three to find some, unless others are faster.
    pub(crate) async fn claim(
        &self,
        server: &Server,
        partitions: u16,
        arguments: &Wire,
        lane: &LaneId,
        capabilities: &CapabilitySet,
    ) -> Result<Option<Handle>, EngineError> {
        loop {
            if let Some(partition) = self.next(lane)
                && let Some(handle) = claim_in(server, partition, arguments).await?
            {
                return Ok(Some(handle));
            }
            let found = look(server, partitions, lane, capabilities).await?;
            if found.is_empty() {
                self.known().remove(lane);
                return Ok(None);
            }
            self.known().insert(lane.clone(), found);
        }
    }

    fn next(&self, lane: &LaneId) -> Option<u16> {
        self.known().get_mut(lane)?.pop_front()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<LaneId, VecDeque<u16>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn claim_in(
    server: &Server,
    partition: u16,
    arguments: &Wire,
) -> Result<Option<Handle>, EngineError> {
    let fcall = server.fcall("claim", false, partition, arguments, None)?;
    let taken: Option<HandlePayload> = server.call(&fcall).await?.into().map_err(transport)?;
    Ok(taken.map(|payload| payload.seal(BackendTag::Valkey, HandleKind::Fresh)))
}

/// The partitions that have work which the worker qualifies for, at one instant.
async fn look(
    server: &Server,
    partitions: u16,
    lane: &LaneId,
    capabilities: &CapabilitySet,
) -> Result<VecDeque<u16>, EngineError> {
    let offered: BTreeSet<String> = capabilities.tokens.iter().cloned().collect();
    let mut pipeline = server.client.transaction();
    let slots: Vec<PipeSlot<Vec<String>>> = (0..partitions)
        .map(|partition| {
            // As `place_in_queue` in `lua/partition.lua`.
            let tag = server.tag(partition);
            let key = format!("{tag}:lane:{}:{lane}", lane.as_str().len());
            pipeline.cmd("SMEMBERS").arg(key).finish()
        })
        .collect();
    pipeline.execute().await.map_err(transport)?;
    let mut found = VecDeque::new();
    for (partition, slot) in (0..).zip(slots) {
        let sets = slot.value().map_err(transport)?;
        let meets = |set: &String| requirements::split(set).is_subset(&offered);
        if sets.iter().any(meets) {
            found.push_back(partition);
        }
    }
    Ok(found)
}
