//! Removing executions that ended long ago.

use std::collections::BTreeSet;

use ff_core::backend::ScannerFilter;
use ff_core::call::{Call, Reply};
use ff_core::engine_error::EngineError;
use ff_core::partition::Partition;
use ff_core::types::{ExecutionId, LaneId, TimestampMs};

use super::filter::passing;
use super::tags::tell;
use crate::engine::Rule;
use crate::records::{
    Attempt, Backlog, Edge, Execution, ExecutionResult, Flow, PastAttempt, PastLease, Payload,
    Scan, Signal, SignalKey, Stream, Summary, SuspendReplay, Suspension, TagEventKind, Tags,
    Waitpoint,
};
use crate::session::Session;
use crate::store::Tx;

/// How many executions one transaction removes.
const MOST: u32 = 32;

/// Makes a call that removes executions some at a time, until enough are removed or no more are to be.
pub async fn by_parts<F>(call: &Call, run: impl Fn(Call) -> F) -> Result<Reply, EngineError>
where
    F: Future<Output = Result<Reply, EngineError>>,
{
    let mut removed = 0;
    loop {
        let mut part = call.clone();
        let Call::TrimRetention { batch_size, .. } = &mut part else {
            return run(part).await;
        };
        let wanted = *batch_size;
        let asked = MOST.min(wanted - removed);
        *batch_size = asked;
        let reply = run(part).await?;
        let Reply::TrimRetention(count) = reply else {
            return Ok(reply);
        };
        removed += count;
        if count < asked || removed == wanted {
            return Ok(Reply::TrimRetention(removed));
        }
    }
}

/// Which executions are removed.
pub(crate) struct Trim<'a> {
    pub(crate) partition: Partition,
    pub(crate) lane: &'a LaneId,
    pub(crate) retention_ms: u64,
    /// At most so many.
    pub(crate) batch_size: u32,
    pub(crate) filter: &'a ScannerFilter,
}

/// Removes those that ended first (OPS-015, OPS-020 to OPS-026); how many.
pub(crate) async fn trim<T: Tx>(tx: &mut Session<T>, asked: Trim<'_>) -> Rule<u32> {
    let wanted = asked.batch_size as usize;
    if wanted == 0 {
        return Ok(0);
    }
    let ended = || Execution::ENDED.of(&asked.partition.index).and(asked.lane);
    let mut found = Vec::new();
    let mut term: Option<i64> = None;
    // Those of one policy's term after the other: what is kept for longer stands in nobody's way.
    while let [first] = &*tx.get(ended().after(term.as_ref()).limit(1)).await? {
        let kept_ms = first.kept_ms();
        let retention = asked.retention_ms.max(kept_ms.unsigned_abs()).cast_signed();
        let ended_by = TimestampMs(tx.now().await?.0.saturating_sub(retention));
        let of_term = ended().and(&kept_ms);
        found.extend(removable(tx, &asked, of_term, ended_by).await?);
        term = Some(kept_ms);
    }
    found.sort_by_key(|execution| (execution.completed_at, execution.id.uuid()));
    found.truncate(wanted);
    purge(tx, &found).await?;
    Ok(u32::try_from(found.len()).unwrap_or(u32::MAX))
}

/// The first of these that may go, and perhaps some more.
async fn removable<T: Tx>(
    tx: &mut Session<T>,
    asked: &Trim<'_>,
    of_term: Scan<Execution>,
    ended_by: TimestampMs,
) -> Rule<Vec<Execution>> {
    let page = MOST as usize;
    let mut found = Vec::new();
    let mut last: Option<Execution> = None;
    while found.len() < asked.batch_size as usize {
        let at = last.as_ref().and_then(|last| last.completed_at);
        let id = last.as_ref().map(|last| last.id.uuid());
        let after = of_term.clone().after(at.as_ref()).after(id.as_ref());
        let next = tx.get(after.up_to(&ended_by).limit(page)).await?;
        let is_last = next.len() < page;
        last = next.last().cloned();
        found.extend(may_go(tx, asked.filter, next).await?);
        if is_last {
            break;
        }
    }
    Ok(found)
}

/// Those that pass the filter, are still what they were, and on which nobody depends any more (OPS-022).
async fn may_go<T: Tx>(
    tx: &mut Session<T>,
    filter: &ScannerFilter,
    executions: Vec<Execution>,
) -> Rule<Vec<Execution>> {
    let executions = passing(tx, filter, executions).await?;
    let flows = executions.iter().filter_map(|execution| execution.flow);
    let flows = flows.map(|flow| Flow::at(&flow)).collect::<Vec<_>>();
    let ids = executions.iter().map(|execution| Execution::at(&execution.id)).collect::<Vec<_>>();
    let (_, locked) = tx.lock((flows, ids)).await?;
    let leaving = executions.iter().filter_map(|execution| {
        let flow = execution.flow?;
        Some(Edge::OUT.of(&flow).and(&execution.id))
    });
    let leaving = tx.get(leaving.collect::<Vec<_>>()).await?.into_iter().flatten();
    let needed: BTreeSet<ExecutionId> =
        leaving.filter(|edge| !edge.state.is_resolved()).map(|edge| edge.upstream).collect();
    let unchanged = executions.into_iter().zip(locked).filter_map(|(seen, locked)| {
        locked.filter(|now| now.completed_at == seen.completed_at && now.flow == seen.flow)
    });
    Ok(unchanged.filter(|execution| !needed.contains(&execution.id)).collect())
}

/// Removes all that there is of them (OPS-020).
async fn purge<T: Tx>(tx: &mut Session<T>, executions: &[Execution]) -> Rule<()> {
    let now = tx.now().await?;
    let of_each = executions.iter().map(|Execution { id, .. }| {
        (
            Attempt::KEY.of(id),
            PastLease::KEY.of(id),
            PastAttempt::KEY.of(id),
            SuspendReplay::KEY.of(id),
            (Signal::KEY.of(id), Waitpoint::OWNED.of(id)),
            (Stream::KEY.of(id), Summary::KEY.of(id), Tags::at(id)),
        )
    });
    let found = tx.get(of_each.collect::<Vec<_>>()).await?;
    let mut waitpoints = Vec::new();
    for (execution, found) in executions.iter().zip(found) {
        let id = &execution.id;
        tx.remove(Execution::at(id));
        tx.remove(Payload::at(id));
        tx.remove(ExecutionResult::at(id));
        tx.remove(Tags::at(id));
        tx.remove(Suspension::at(id));
        if let Some(flow) = execution.flow {
            tx.remove(Backlog::at(&flow, id));
        }
        let (attempts, leases, past, replays, signals, streams) = found;
        let ((signals, of_waitpoints), (streams, summaries, tags)) = (signals, streams);
        for (key, value) in tags.iter().flat_map(|found| &found.tags) {
            tell(tx, id, TagEventKind::Cleared, (key, value), now);
        }
        tx.remove_all(attempts);
        tx.remove_all(leases);
        tx.remove_all(past);
        tx.remove_all(replays);
        tx.remove_all(signals);
        for mut stream in streams {
            stream.clear(tx);
            tx.remove_all(vec![stream]);
        }
        tx.remove_all(summaries);
        waitpoints.extend(of_waitpoints);
    }
    let keys = waitpoints.iter().map(|waitpoint| SignalKey::KEY.of(&waitpoint.id));
    for keys in tx.get(keys.collect::<Vec<_>>()).await? {
        tx.remove_all(keys);
    }
    tx.remove_all(waitpoints);
    Ok(())
}
