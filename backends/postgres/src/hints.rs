//! Word of new work from other instances of the deployment.
//!
//! Notifications make transactions commit one after the other, so they are sent only for lanes on which
//! somebody waits: an instance whose claims wait holds the lane's flag, an advisory lock, and whoever
//! adds work sends word if it cannot have the flag in common with others who add.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use ff_core::types::LaneId;
use ff_transactional::WaitingClaims;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::transaction::turn_of;

/// How often flags are asked for that others hold, and those of lanes that nobody waits on are given up.
const TICK: Duration = Duration::from_secs(1);

/// The flag of a lane.
pub(crate) fn flag_of(schema: &str, lane: &LaneId) -> i64 {
    turn_of(schema, &format!("work {lane}"))
}

/// The channel of a schema; a name has at most 63 bytes.
pub(crate) fn channel_of(schema: &str) -> String {
    format!("ff_work_{:016x}", turn_of(schema, "work"))
}

/// A connection of its own that listens, from the first claim on that waits.
#[derive(Default)]
pub(crate) struct Hints(OnceLock<UnboundedSender<LaneId>>);

impl Hints {
    pub(crate) fn listen(
        &self,
        options: &PgConnectOptions,
        schema: &str,
        lane: &LaneId,
        waiting: &Arc<WaitingClaims>,
    ) {
        let asked = self.0.get_or_init(|| {
            let (sender, asked) = unbounded_channel();
            let listening = Listening {
                schema: schema.to_owned(),
                waiting: Arc::downgrade(waiting),
                asked,
                lanes: BTreeSet::new(),
                flagged: BTreeSet::new(),
            };
            tokio::spawn(listening.run(options.clone()));
            sender
        });
        // Without it, claims that wait look by themselves.
        let _ = asked.send(lane.clone());
    }
}

struct Listening {
    schema: String,
    waiting: Weak<WaitingClaims>,
    asked: UnboundedReceiver<LaneId>,
    /// Lanes on which claims wait.
    lanes: BTreeSet<LaneId>,
    /// Those of them whose flag is held here.
    flagged: BTreeSet<LaneId>,
}

impl Listening {
    /// Until the backend is gone. A connection that breaks is made anew after a while.
    async fn run(mut self, options: PgConnectOptions) {
        while self.waiting.strong_count() > 0 {
            // That there is no connection is no harm.
            let _ = self.listen(&options).await;
            self.flagged.clear();
            tokio::time::sleep(TICK).await;
        }
    }

    async fn listen(&mut self, options: &PgConnectOptions) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(&channel_of(&self.schema)).await?;
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                lane = self.asked.recv() => match lane {
                    Some(lane) if self.lanes.insert(lane.clone()) => {
                        self.flag(&mut listener, lane).await?;
                    }
                    Some(_) => {}
                    None => return Ok(()),
                },
                told = listener.try_recv() => match told? {
                    Some(told) => match self.waiting.upgrade() {
                        Some(waiting) => waiting.wake(&LaneId::new(told.payload())),
                        None => return Ok(()),
                    },
                    None => return Ok(()),
                },
                _ = ticks.tick() => self.tidy(&mut listener).await?,
            }
        }
    }

    async fn flag(&mut self, listener: &mut PgListener, lane: LaneId) -> Result<(), sqlx::Error> {
        let flag = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)");
        if flag.bind(flag_of(&self.schema, &lane)).fetch_one(&mut *listener).await? {
            self.flagged.insert(lane);
        }
        Ok(())
    }

    async fn tidy(&mut self, listener: &mut PgListener) -> Result<(), sqlx::Error> {
        let waiting = self.waiting.upgrade();
        let is_waited_on = |lane: &LaneId| waiting.as_ref().is_some_and(|it| it.any_on(lane));
        self.lanes.retain(is_waited_on);
        let (kept, left): (BTreeSet<_>, BTreeSet<_>) =
            std::mem::take(&mut self.flagged).into_iter().partition(is_waited_on);
        self.flagged = kept;
        for lane in left {
            let unflag = sqlx::query("SELECT pg_advisory_unlock($1)");
            unflag.bind(flag_of(&self.schema, &lane)).execute(&mut *listener).await?;
        }
        let missing: Vec<LaneId> = self.lanes.difference(&self.flagged).cloned().collect();
        for lane in missing {
            self.flag(listener, lane).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test fails by panicking.

    use ff_conformance::plain_execution;
    use ff_core::engine_backend::EngineBackend;
    use ff_core::types::ExecutionId;
    use ff_provision::{Kind, Scratch};
    use ff_transactional::Store;
    use uuid::Uuid;

    use super::*;
    use crate::connections::Connections;
    use crate::open::PostgresOptions;

    #[tokio::test]
    async fn needs_postgres_word_of_new_work_reaches_other_instances() {
        let scratch = Scratch::on(Kind::Postgres).await.unwrap();
        let options = PostgresOptions::new(&scratch.server.url).schema(&scratch.name);
        let creates = options.clone().open().await.unwrap();
        creates.prepare().await.unwrap();
        let pool = options.connect().await.unwrap();
        let waits = options.store(Connections::shared(pool)).unwrap();
        let (lane, waiting) = (LaneId::new("lane"), Arc::new(WaitingClaims::default()));
        waits.listen(&lane, &waiting);
        let told = waiting.told(&lane);
        tokio::pin!(told);
        // What comes before the lane has its flag is told to nobody.
        while futures_util::poll!(&mut told).is_pending() {
            let id = ExecutionId::from_parts(3, Uuid::new_v4());
            let args = plain_execution(id, lane.clone());
            creates.create_execution(args).await.unwrap();
        }
        scratch.leave().await.unwrap();
    }
}
