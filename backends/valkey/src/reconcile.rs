//! Walks over a partition, some records and entries of indexes at a time.

use std::collections::BTreeSet;

use ff_core::backend::ScannerFilter;
use ff_core::call::Method;
use ff_core::engine_backend::ReconcileCounts;
use ff_core::engine_error::EngineError;
use ff_core::partition::Partition;
use ff_core::types::ExecutionId;
use serde::{Deserialize, Serialize};

use crate::server::{Server, transport};
use crate::wire::Wire;

/// What the library says of one part.
#[derive(Deserialize)]
struct Looked {
    mended: Vec<ExecutionId>,
    errors: u32,
    at: Option<At>,
}

/// Where the next part begins, as in `lua/executions/reconcile.lua`.
#[derive(Serialize, Deserialize)]
struct At {
    after: Option<String>,
    owner: Option<u32>,
    value: Option<String>,
    set: Option<String>,
    rank: Option<u64>,
}

/// Puts a partition's executions where the indexes should have them, and nowhere else (SCH-020).
pub(crate) async fn reconcile(
    server: &Server,
    partition: u16,
    filter: &ScannerFilter,
) -> Result<ReconcileCounts, EngineError> {
    let mut mended = BTreeSet::new();
    let mut errors = 0;
    let mut at: Option<At> = None;
    loop {
        let filter = Wire::of(filter).map_err(transport)?;
        let from = Wire::of(&at).map_err(transport)?;
        let arguments = Wire::map([("filter", filter), ("at", from)]);
        let function = Method::ReconcileExecutionIndex.as_str();
        let fcall = server.fcall(function, false, partition, &arguments, None)?;
        let looked: Looked = server.call(&fcall).await?.into().map_err(transport)?;
        mended.extend(looked.mended);
        errors += looked.errors;
        at = looked.at;
        if at.is_none() {
            let processed = u32::try_from(mended.len()).unwrap_or(u32::MAX);
            return Ok(ReconcileCounts { processed, errors });
        }
    }
}

/// What the library says of some budgets or policies.
#[derive(Deserialize)]
struct Counted {
    /// Those of which something was removed.
    processed: Vec<String>,
    errors: u32,
    /// There is more to remove of them.
    again: bool,
    last: Option<String>,
}

/// Removes what is over of a partition's budgets or policies (BUD-026, QUO-017).
pub(crate) async fn counters(
    server: &Server,
    method: Method,
    partition: Partition,
) -> Result<ReconcileCounts, EngineError> {
    let mut processed = BTreeSet::new();
    let mut errors = 0;
    let mut after: Option<String> = None;
    loop {
        let arguments = Wire::map([("after", Wire::of(&after).map_err(transport)?)]);
        let fcall = server.fcall(method.as_str(), false, partition, &arguments, None)?;
        let counted: Counted = server.call(&fcall).await?.into().map_err(transport)?;
        processed.extend(counted.processed);
        if counted.again {
            continue;
        }
        errors += counted.errors;
        after = counted.last;
        if after.is_none() {
            let processed = u32::try_from(processed.len()).unwrap_or(u32::MAX);
            return Ok(ReconcileCounts { processed, errors });
        }
    }
}
