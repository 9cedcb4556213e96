//! Reading the outboxes. Numbers are given to events before they commit, so what is new is found by transactions: what a
//! snapshot does not have, and a later one has. Among these events are in the order of their numbers, which transactions on
//! one execution take one after the other.

use std::collections::BTreeMap;

use ff_transactional::records::{Event, Kind, Outbox, Packed, Stored, Tags};
use ff_transactional::{Events, StoreError};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::connections::Lent;
use crate::statements::{Statement, get};

type Result<T> = std::result::Result<T, StoreError>;

/// How far an outbox has been read.
enum Place {
    /// All that this snapshot has.
    Seen(String),
    /// And of what a later one has more, all up to this number.
    Within { seen: String, later: String, last: i64 },
}

impl Place {
    fn seal(&self) -> Vec<u8> {
        match self {
            Self::Seen(snapshot) => snapshot.clone().into_bytes(),
            Self::Within { seen, later, last } => format!("{seen} {later} {last}").into_bytes(),
        }
    }

    fn open(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let parts: Vec<&str> = text.split(' ').collect();
        let snapshot = |text: &str| {
            let numbers = text.split([':', ',']).filter(|number| !number.is_empty());
            let is_one = numbers.clone().count() >= 2
                && numbers.clone().all(|number| number.parse::<u64>().is_ok());
            is_one.then(|| text.to_owned())
        };
        Some(match parts[..] {
            [seen] => Self::Seen(snapshot(seen)?),
            [seen, later, last] => Self::Within {
                seen: snapshot(seen)?,
                later: snapshot(later)?,
                last: last.parse().ok()?,
            },
            _ => return None,
        })
    }
}

/// The events behind a place, or where the outbox ends now.
pub(crate) async fn events(
    mut lent: Lent,
    outbox: Outbox,
    behind: Option<&[u8]>,
    limit: usize,
) -> Result<Events> {
    let Some(behind) = behind else {
        let now = statement("SELECT pg_current_snapshot()::text AS now".to_owned());
        let rows = lent.rows(now).await?;
        return Ok(Events { found: Vec::new(), end: Place::Seen(get(one(&rows)?, "now")?).seal() });
    };
    let place = Place::open(behind);
    let place = place.ok_or_else(|| StoreError::Failed("no place in this storage".into()))?;
    let (seen, later, last) = match place {
        Place::Within { seen, later, last } => (seen, later, last),
        Place::Seen(seen) => {
            let rows = lent.rows(first(outbox).bind(seen.clone())).await?;
            let (now, first): (String, Option<i64>) =
                (get(one(&rows)?, "now")?, get(one(&rows)?, "first")?);
            match first {
                Some(first) => (seen, now, first - 1),
                None => return Ok(Events { found: Vec::new(), end: Place::Seen(now).seal() }),
            }
        }
    };
    let page = page(outbox, limit).bind(seen.clone()).bind(later.clone()).bind(last);
    let mut found = Vec::new();
    let mut end = Place::Seen(later.clone());
    for row in lent.rows(page).await? {
        let last = get(&row, "event_id")?;
        let place = Place::Within { seen: seen.clone(), later: later.clone(), last };
        found.push((place.seal(), event(outbox, &row)));
        if found.len() == limit {
            end = place;
        }
    }
    Ok(Events { found, end: end.seal() })
}

/// The snapshot that there is now, and the number of the first event that it has and an older one has not.
fn first(outbox: Outbox) -> Statement {
    let table = outbox.schema().table;
    // By the index on transactions: there are few that have not been seen.
    statement(format!(
        "WITH fresh AS MATERIALIZED (SELECT event_id FROM {table} \
         WHERE of_transaction >= pg_snapshot_xmin($1::pg_snapshot) \
         AND NOT pg_visible_in_snapshot(of_transaction, $1::pg_snapshot)) \
         SELECT pg_current_snapshot()::text AS now, (SELECT min(event_id) FROM fresh) AS first"
    ))
}

/// The events that one snapshot has not and another has, behind a number.
fn page(outbox: Outbox, limit: usize) -> Statement {
    let table = outbox.schema().table;
    statement(format!(
        "SELECT event_id, event, tags FROM {table} WHERE event_id > $3 \
         AND NOT pg_visible_in_snapshot(of_transaction, $1::pg_snapshot) \
         AND pg_visible_in_snapshot(of_transaction, $2::pg_snapshot) \
         ORDER BY event_id LIMIT {limit}"
    ))
}

fn statement(sql: String) -> Statement {
    sqlx::query(AssertSqlSafe(sql).into_sql_str())
}

fn one(rows: &[PgRow]) -> Result<&PgRow> {
    rows.first().ok_or_else(|| StoreError::Failed("a look at an outbox has no answer".into()))
}

/// The event with the tags that its execution had.
fn event(outbox: Outbox, row: &PgRow) -> Result<Event> {
    let event = outbox.unpack(get(row, "event")?)?;
    let Some(changing) = get::<Option<Vec<u8>>>(row, "tags")? else {
        return Ok(event);
    };
    let untagged = Tags { execution: event.execution().clone(), tags: BTreeMap::new() };
    let Packed { fixed, .. } = untagged.into_record().pack();
    let tags = Kind::Tags.unpack(&Packed { fixed, changing })?;
    Ok(event.tagged(Some(&tags)))
}
