//! Finding work among the partitions.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use ferriskey::PipeSlot;
use ff_core::call::Method;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_core::types::{LaneId, TimestampMs};
use ff_transactional::requirements;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::budgets::{Asks, Budgets};
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

/// A call that takes the first work it finds.
pub(crate) struct Search<'a> {
    pub(crate) method: Method,
    pub(crate) arguments: &'a Wire,
    pub(crate) lane: &'a LaneId,
    pub(crate) offered: BTreeSet<String>,
    /// The names of the queues it looks into, as in `lua/kinds.lua`.
    pub(crate) queues: &'static [&'static str],
}

/// The result of such a call in one partition.
#[derive(Deserialize)]
struct Taken<T> {
    /// None if the call is to be made again.
    found: Option<T>,
    /// What is to be asked before.
    asks: Option<Asks>,
    /// Whether the lane has more work there.
    more: bool,
}

impl Claims {
    /// Takes work, wherever it is: one round trip if there is some where there was some before. A
    /// look at all partitions sees one after the other, so calls that overlap it can hide what they are
    /// about (CLM-009).
    pub(crate) async fn first<T: DeserializeOwned>(
        &self,
        server: &Server,
        partitions: &PartitionConfig,
        search: &Search<'_>,
    ) -> Result<Option<T>, EngineError> {
        let lane = search.lane;
        let budgets = Budgets { server, partitions };
        loop {
            while let Some(partition) = self.next(lane) {
                if let Some(taken) = first_in(&budgets, partition, search).await? {
                    if taken.more {
                        self.remember(lane, partition);
                    }
                    if taken.found.is_some() {
                        return Ok(taken.found);
                    }
                }
            }
            let found = look(server, partitions.num_flow_partitions, search).await?;
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

/// The first in a partition, once all of its budgets have room.
async fn first_in<T: DeserializeOwned>(
    budgets: &Budgets<'_>,
    partition: u16,
    search: &Search<'_>,
) -> Result<Option<Taken<T>>, EngineError> {
    let (server, function) = (budgets.server, search.method.as_str());
    let mut arguments = Cow::Borrowed(search.arguments);
    loop {
        let fcall = server.fcall(function, false, partition, &arguments, None)?;
        let taken: Option<Taken<T>> = server.call(&fcall).await?.into().map_err(transport)?;
        let Some(asks) = taken.as_ref().and_then(|taken| taken.asks.as_ref()) else {
            return Ok(taken);
        };
        if budgets.admit(asks).await? {
            let admitted = Wire::of(&asks.execution_id).map_err(transport)?;
            arguments = Cow::Owned(search.arguments.clone().with("admitted", admitted));
        }
    }
}

/// An execution that a grant keeps from claims, and until when.
type Reserved = (String, f64);

/// The queues of a partition, and what is the first to be kept no longer.
type Looked = (Vec<PipeSlot<Vec<String>>>, PipeSlot<Vec<Reserved>>);

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
    search: &Search<'_>,
) -> Result<Vec<u16>, EngineError> {
    let lane = search.lane;
    // As `sets` and `index` in `lua/partition.lua`.
    let queues = |partition| {
        let names = search.queues.iter();
        names.map(move |name| {
            format!("{}:{name}.sets:{}:{lane}", server.tag(partition), lane.as_str().len())
        })
    };
    let reserved = |partition| format!("{}:execution.RESERVED", server.tag(partition));
    let mut any = server.client.cmd("EXISTS");
    for partition in 0..partitions {
        any = queues(partition).fold(any, ferriskey::CommandBuilder::arg);
        any = any.arg(reserved(partition));
    }
    let any: u64 = any.execute().await.map_err(transport)?;
    if any == 0 {
        return Ok(Vec::new());
    }
    let mut pipeline = server.client.pipeline();
    let slots: Vec<Looked> = (0..partitions)
        .map(|partition| {
            let sets = queues(partition).map(|sets| pipeline.cmd("SMEMBERS").arg(sets).finish());
            let sets = sets.collect();
            let first = pipeline.cmd("ZRANGE").arg(reserved(partition)).arg(0).arg(0);
            (sets, first.arg("WITHSCORES").finish())
        })
        .collect();
    let time = pipeline.cmd("TIME").finish();
    pipeline.execute().await.map_err(transport)?;
    let now = server.now_of(time.value().map_err(transport)?)?;
    let mut found = Vec::new();
    for (partition, (sets, first)) in (0..).zip(slots) {
        let mut has_work = false;
        for set in sets {
            let sets: Vec<String> = set.value().map_err(transport)?;
            let meets = |set: &String| requirements::split(set).is_subset(&search.offered);
            has_work |= sets.iter().any(meets);
        }
        let first = first.value().map_err(transport)?;
        let has_run_out = |(_, until): &Reserved| *until <= score(now);
        if has_work || first.iter().any(has_run_out) {
            found.push(partition);
        }
    }
    Ok(found)
}
