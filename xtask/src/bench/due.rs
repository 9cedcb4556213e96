//! What is due is listed, beside ever more that is not.

use std::time::{Duration, Instant};

use ff_conformance::{Case, Harness, HarnessError, Need, plain_execution, registry};
use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use uuid::Uuid;

use super::Listing;

/// Executions that are due.
const DUE: usize = 10;

/// Lists in a row; the middle one counts.
const LISTS: usize = 101;

/// Creations at once.
const AT_ONCE: usize = 16;

/// How long a list takes beside each number of delays that have not ended, in ascending
/// order.
pub(super) async fn measure(
    harness: &dyn Harness,
    numbers: &[usize],
) -> Result<Vec<Listing>, HarnessError> {
    let is_ours = |case: &Case| case.needs.contains(&Need::Housekeeping);
    let case = registry().into_iter().find(is_ours).ok_or("no case needs housekeeping")?;
    let deployment = harness.deploy(&case).await?;
    let housekeeping = deployment.housekeeping().ok_or("nothing tells what is due")?;
    let clock = deployment.clock().ok_or("there is no clock")?;
    let create = |until: i64| {
        let id = ExecutionId::from_parts(0, Uuid::new_v4());
        let mut args = plain_execution(id, LaneId::new("bench"));
        args.delay_until = Some(TimestampMs(clock.now().0 + until));
        deployment.backend().create_execution(args)
    };
    for _ in 0..DUE {
        create(1).await?;
    }
    let mut waiting = 0;
    let mut listings = Vec::new();
    let key = PartitionKey::from(&Partition { family: PartitionFamily::Flow, index: 0 });
    clock.advance(Duration::from_millis(1));
    for number in numbers {
        let creating = stream::iter(waiting..*number).map(|_| create(1_000_000_000));
        let _: Vec<_> = creating.buffer_unordered(AT_ONCE).try_collect().await?;
        waiting = *number;
        let mut times = Vec::new();
        for _ in 0..LISTS {
            let begun = Instant::now();
            let due = housekeeping.due(&key, 100).await?;
            times.push(begun.elapsed());
            if due.len() != DUE {
                return Err(format!("{} are due, not {DUE}", due.len()).into());
            }
        }
        times.sort();
        let time = times[LISTS / 2];
        listings.push(Listing { waiting, time });
    }
    Ok(listings)
}
