//! A flow's summary, kept for whoever reads the storage.

use std::collections::BTreeMap;

use ff_core::state::PublicState;
use ff_core::types::{FlowId, TimestampMs};

use crate::engine::Rule;
use crate::records::{Execution, Flow, Projection};
use crate::session::Session;
use crate::store::Tx;

/// Writes it. Whether there was anything to write (FLW-031, FLW-033).
pub(crate) async fn project<T: Tx>(tx: &mut Session<T>, id: &FlowId) -> Rule<bool> {
    let Some(mut flow) = tx.lock(Flow::at(id)).await? else {
        return Ok(false);
    };
    let members = tx.get(Execution::MEMBERS.of(id)).await?;
    if members.is_empty() {
        return Ok(false);
    }
    let states = members.iter().map(Execution::public_state);
    flow.projection = Some(Projection::of(states, tx.now().await?));
    tx.put(&flow);
    Ok(true)
}

impl Projection {
    fn of(states: impl Iterator<Item = PublicState>, projected_at: TimestampMs) -> Self {
        let mut counts = BTreeMap::new();
        for state in states {
            *counts.entry(state.as_str().to_owned()).or_default() += 1;
        }
        Self {
            projected_at,
            total: counts.values().sum(),
            state: state_of(&counts).to_owned(),
            counts,
        }
    }
}

/// The first that applies: some run; some wait for more than a worker; some can run; all have ended,
/// some of them badly or none.
fn state_of(counts: &BTreeMap<String, u32>) -> &'static str {
    let any =
        |states: &[PublicState]| states.iter().any(|state| counts.contains_key(state.as_str()));
    let bad = [PublicState::Failed, PublicState::Cancelled, PublicState::Expired];
    let held_up = [
        PublicState::Suspended,
        PublicState::Delayed,
        PublicState::RateLimited,
        PublicState::WaitingChildren,
    ];
    if any(&[PublicState::Active]) {
        "running"
    } else if any(&held_up) {
        "blocked"
    } else if any(&[PublicState::Waiting, PublicState::Resumable]) {
        "open"
    } else if any(&bad) {
        "failed"
    } else {
        "completed"
    }
}
