//! Whom calls on one lane wait for at a Postgres server.

use std::time::{Duration, Instant};

use ff_conformance::HarnessError;
use ff_provision::Scratch;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::cycle;
use super::measure::Load;
use super::place::Place;
use crate::backends::Backend;

/// Callers at once, each of which creates, claims and completes.
const CALLERS: usize = 16;

/// How often the server is asked who waits.
const PAUSE: Duration = Duration::from_millis(5);

/// What the server has told.
#[derive(Default)]
struct Seen {
    samples: u32,
    /// Sessions under way, over all samples.
    active: i64,
    /// Those of them that waited for a lock that another transaction held.
    waited: i64,
}

/// Calls on one lane for so long, while the server is asked again and again who waits for whom.
pub(super) async fn measure(time: Duration) -> Result<(), HarnessError> {
    let place = Place::of(Backend::Postgres).await?;
    let scratch = place.scratch.as_ref().ok_or("Postgres is a server")?;
    let (load, seen) =
        tokio::join!(cycle::of_one_lane(&place, CALLERS, time), sampled(scratch, time));
    let (load, seen): (Load, Seen) = (load?, seen?);
    println!(
        "postgres  {CALLERS} callers on one lane for {time:?}, {:.0} calls a second: {} samples, {} sessions \
         under way, {} of them waited for another's lock",
        load.per_s, seen.samples, seen.active, seen.waited
    );
    place.leave().await
}

async fn sampled(scratch: &Scratch, time: Duration) -> Result<Seen, HarnessError> {
    let mut connection = PgConnection::connect(&scratch.server.url).await?;
    let (mut seen, begun) = (Seen::default(), Instant::now());
    while begun.elapsed() < time {
        let (active, waited): (i64, i64) = sqlx::query_as(
            // Who waits for a file to grow waits for nobody's commit.
            "SELECT count(*), \
                 count(*) FILTER (WHERE wait_event_type = 'Lock' AND wait_event <> 'extend') \
             FROM pg_stat_activity \
             WHERE state = 'active' AND pid <> pg_backend_pid() AND datname = current_database()",
        )
        .fetch_one(&mut connection)
        .await?;
        seen.samples += 1;
        seen.active += active;
        seen.waited += waited;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(seen)
}
