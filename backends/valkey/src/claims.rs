//! Finding work among the partitions.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use ferriskey::PipeSlot;
use ff_core::backend::{BackendTag, CapabilitySet, Handle, HandleKind, HandlePayload};
use ff_core::engine_error::EngineError;
use ff_core::types::{LaneId, TimestampMs};
use ff_transactional::requirements;
use serde::Deserialize;

use crate::server::{Server, transport};
use crate::wire::Wire;

/// Claims of a lane between two looks at all partitions, so that work waits nowhere for long (CLM-011).
const SERVED: usize = 256;

/// Lanes of which something is remembered.
const LANES: usize = 4_096;

/// Where claims have found work, or a call has made some: what is tried before all partitions are
/// looked at. It may be wrong, which costs a look.
#[derive(Default)]
pub(crate) struct Claims {
    lanes: Mutex<HashMap<LaneId, Known>>,
}

#[derive(Default)]
struct Known {
    /// The next comes first; each once.
    partitions: VecDeque<u16>,
    /// Claims that were served since all partitions were looked at.
    served: usize,
}

/// The result of a claim in one partition.
#[derive(Deserialize)]
struct Taken {
    /// None if the claim is to be made again.
    payload: Option<HandlePayload>,
    /// Whether the lane has more work there.
    more: bool,
}

impl Claims {
    /// Takes fresh work, wherever it is: one round trip if there is some where there was some before. A
    /// look at all partitions sees one after the other, so calls that overlap it can hide what they are
    /// about (CLM-009).
    pub(crate) async fn claim(
        &self,
        server: &Server,
        partitions: u16,
        arguments: &Wire,
        lane: &LaneId,
        capabilities: &CapabilitySet,
    ) -> Result<Option<Handle>, EngineError> {
        loop {
            while let Some(partition) = self.next(lane) {
                if let Some(taken) = claim_in(server, partition, arguments).await? {
                    if taken.more {
                        self.remember(lane, partition);
                    }
                    if let Some(payload) = taken.payload {
                        return Ok(Some(payload.seal(BackendTag::Valkey, HandleKind::Fresh)));
                    }
                }
            }
            let found = look(server, partitions, lane, capabilities).await?;
            if found.is_empty() {
                self.lanes().remove(lane);
                return Ok(None);
            }
            self.found(lane, found);
        }
    }

    /// Remembers that there is work in a partition.
    pub(crate) fn remember(&self, lane: &LaneId, partition: u16) {
        let mut lanes = self.lanes();
        if lanes.len() >= LANES && !lanes.contains_key(lane) {
            lanes.clear();
        }
        let known = lanes.entry(lane.clone()).or_default();
        if !known.partitions.contains(&partition) {
            known.partitions.push_back(partition);
        }
    }

    fn found(&self, lane: &LaneId, partitions: Vec<u16>) {
        self.lanes().remove(lane);
        for partition in partitions {
            self.remember(lane, partition);
        }
    }

    /// Where to try next; nowhere, once it is time to look everywhere.
    fn next(&self, lane: &LaneId) -> Option<u16> {
        let mut lanes = self.lanes();
        let known = lanes.get_mut(lane)?;
        known.served += 1;
        if known.served > SERVED {
            return None;
        }
        known.partitions.pop_front()
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, HashMap<LaneId, Known>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn claim_in(
    server: &Server,
    partition: u16,
    arguments: &Wire,
) -> Result<Option<Taken>, EngineError> {
    let fcall = server.fcall("claim", false, partition, arguments, None)?;
    server.call(&fcall).await?.into().map_err(transport)
}

/// An execution that a grant keeps from claims, and until when.
type Reserved = (String, f64);

/// The queues of a partition, and what is the first to be kept no longer.
type Looked = (PipeSlot<Vec<String>>, PipeSlot<Vec<Reserved>>);

/// A time as sorted sets have it.
#[allow(clippy::cast_precision_loss)] // Times are below 2^53.
fn score(time: TimestampMs) -> f64 {
    time.0 as f64
}

/// The partitions that have work which the worker qualifies for, or what a grant keeps from claims that has
/// run out. What most looks find, that there is none at all, takes one command.
async fn look(
    server: &Server,
    partitions: u16,
    lane: &LaneId,
    capabilities: &CapabilitySet,
) -> Result<Vec<u16>, EngineError> {
    // As `sets` and `index` in `lua/partition.lua`.
    let queues =
        |partition| format!("{}:queue.sets:{}:{lane}", server.tag(partition), lane.as_str().len());
    let reserved = |partition| format!("{}:execution.RESERVED", server.tag(partition));
    let mut any = server.client.cmd("EXISTS");
    for partition in 0..partitions {
        any = any.arg(queues(partition)).arg(reserved(partition));
    }
    let any: u64 = any.execute().await.map_err(transport)?;
    if any == 0 {
        return Ok(Vec::new());
    }
    let offered: BTreeSet<String> = capabilities.tokens.iter().cloned().collect();
    let mut pipeline = server.client.pipeline();
    let slots: Vec<Looked> = (0..partitions)
        .map(|partition| {
            let sets = pipeline.cmd("SMEMBERS").arg(queues(partition)).finish();
            let first = pipeline.cmd("ZRANGE").arg(reserved(partition)).arg(0).arg(0);
            (sets, first.arg("WITHSCORES").finish())
        })
        .collect();
    let time = pipeline.cmd("TIME").finish();
    pipeline.execute().await.map_err(transport)?;
    let now = server.now_of(time.value().map_err(transport)?)?;
    let mut found = Vec::new();
    for (partition, (sets, first)) in (0..).zip(slots) {
        let (sets, first) = (sets.value().map_err(transport)?, first.value().map_err(transport)?);
        let meets = |set: &String| requirements::split(set).is_subset(&offered);
        let has_run_out = |(_, until): &Reserved| *until <= score(now);
        if sets.iter().any(meets) || first.iter().any(has_run_out) {
            found.push(partition);
        }
    }
    Ok(found)
}
