//! What a transaction has written so far, to be sent as one statement.

use std::collections::{BTreeMap, HashSet};

use ff_core::types::{ExecutionId, FlowId, LaneId};
use ff_transactional::{
    Attempt, CompletionRecord, Edge, EdgeGroup, Execution, Flow, LeaseRecord, StoreError,
    requirements,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::statements::Statements;

type Result<T> = std::result::Result<T, StoreError>;

/// A part of the statement, and the name of its rows in the argument.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Part {
    Created,
    Updated,
    Payloads,
    Results,
    Attempts,
    Turns,
    Eligible,
    Ineligible,
    Idempotency,
    Lanes,
    FlowsCreated,
    FlowsUpdated,
    Edges,
    Groups,
    Backlog,
    Completions,
    LeaseEvents,
}

/// The rows of each part by key. A record that is written twice is sent once, as it was left.
#[derive(Default)]
pub(crate) struct Writes {
    rows: BTreeMap<Part, BTreeMap<String, Value>>,
    /// The members that written edges join.
    ends: HashSet<String>,
}

impl Writes {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a read of these parts would miss something.
    pub(crate) fn touches(&self, parts: &[Part]) -> bool {
        parts.iter().any(|part| self.rows.contains_key(part))
    }

    /// Whether a row with this key was written. An edge is known by its ends as well.
    pub(crate) fn has(&self, part: Part, key: &str) -> bool {
        let rows = self.rows.get(&part);
        rows.is_some_and(|rows| rows.contains_key(key))
            || (part == Part::Edges && self.ends.contains(key))
    }

    pub(crate) fn create(
        &mut self,
        execution: &Execution,
        payload: &[u8],
        tags: &BTreeMap<String, String>,
    ) -> Result<()> {
        let id = execution.id.as_str();
        self.put(Part::Created, id, with(execution, "tags", json!(tags))?);
        self.put_payload(&execution.id, payload);
        self.place(execution);
        Ok(())
    }

    /// `queued` says whether it was claimable before.
    pub(crate) fn update(&mut self, execution: &Execution, queued: bool) -> Result<()> {
        self.put(Part::Updated, execution.id.as_str(), value(execution)?);
        self.place(execution);
        if queued && let Some(rows) = self.rows.get_mut(&Part::Eligible) {
            // It stands there already.
            rows.remove(execution.id.as_str());
        }
        Ok(())
    }

    /// Waits until no claim has this turn, and lets none have it before the transaction ends: what a
    /// claim takes is still the first when it has taken it.
    pub(crate) fn await_claims(&mut self, turn: i64) {
        self.put(Part::Turns, turn.to_string(), json!(turn));
    }

    /// Adds a tag to an execution that is updated as well.
    pub(crate) fn tag(&mut self, id: &ExecutionId, key: &str, tag: &str) -> Result<()> {
        self.tag_updated(Part::Updated, id.as_str(), key, tag)
    }

    /// Adds a tag to a flow that is updated as well.
    pub(crate) fn tag_flow(&mut self, id: &FlowId, key: &str, tag: &str) -> Result<()> {
        self.tag_updated(Part::FlowsUpdated, &id.to_string(), key, tag)
    }

    fn tag_updated(&mut self, part: Part, id: &str, key: &str, tag: &str) -> Result<()> {
        let updated = self.rows.get_mut(&part);
        let row = updated.and_then(|rows| rows.get_mut(id));
        let row = row.ok_or_else(|| StoreError::Failed("a tag without an update".into()))?;
        row["tags"] = json!({ key: tag });
        Ok(())
    }

    pub(crate) fn put_payload(&mut self, id: &ExecutionId, payload: &[u8]) {
        let row = json!({ "execution_id": id, "payload": hex(payload) });
        self.put(Part::Payloads, id.as_str(), row);
    }

    pub(crate) fn put_result(&mut self, id: &ExecutionId, result: &[u8]) {
        let row = json!({ "execution_id": id, "result": hex(result) });
        self.put(Part::Results, id.as_str(), row);
    }

    pub(crate) fn put_attempt(&mut self, id: &ExecutionId, attempt: &Attempt) -> Result<()> {
        let key = format!("{id} {}", attempt.index);
        let row = with(attempt, "execution_id", json!(id))?;
        self.put(Part::Attempts, key, row);
        Ok(())
    }

    pub(crate) fn put_idempotency(&mut self, digest: &str, id: &ExecutionId, until_ms: i64) {
        let row = json!({ "digest": digest, "execution_id": id, "expires_at": until_ms });
        self.put(Part::Idempotency, digest, row);
    }

    pub(crate) fn put_lane(&mut self, lane: &LaneId) {
        self.put(Part::Lanes, lane.as_str(), json!(lane));
    }

    pub(crate) fn create_flow(&mut self, flow: &Flow) -> Result<()> {
        let row = with(flow, "tags", json!({}))?;
        self.put(Part::FlowsCreated, flow.id.to_string(), row);
        Ok(())
    }

    pub(crate) fn update_flow(&mut self, flow: &Flow) -> Result<()> {
        self.put(Part::FlowsUpdated, flow.id.to_string(), value(flow)?);
        Ok(())
    }

    pub(crate) fn put_edge(&mut self, edge: &Edge) -> Result<()> {
        self.put(Part::Edges, edge.id.to_string(), value(edge)?);
        for end in [&edge.upstream, &edge.downstream] {
            self.ends.insert(end.to_string());
        }
        Ok(())
    }

    pub(crate) fn put_group(&mut self, group: &EdgeGroup) -> Result<()> {
        self.put(Part::Groups, group.downstream.as_str(), value(group)?);
        Ok(())
    }

    pub(crate) fn put_backlog(&mut self, flow: &FlowId, member: &ExecutionId, due_at_ms: i64) {
        let row = json!({
            "flow_id": flow,
            "execution_id": member,
            "partition_key": member.partition(),
            "due_at": due_at_ms,
        });
        self.put(Part::Backlog, member.as_str(), row);
    }

    pub(crate) fn append_completion(&mut self, completion: &CompletionRecord) -> Result<()> {
        self.append(Part::Completions, value(completion)?);
        Ok(())
    }

    pub(crate) fn append_lease_event(&mut self, event: &LeaseRecord) -> Result<()> {
        self.append(Part::LeaseEvents, value(event)?);
        Ok(())
    }

    /// The statement that writes everything, and its one argument.
    pub(crate) fn statement(&self, sql: &Statements) -> (SqlStr, Value) {
        let mut steps = Vec::new();
        let mut argument = Map::new();
        for (part, rows) in &self.rows {
            let name: &'static str = part.into();
            steps.push(format!("{name} AS ({})", text(sql, *part).as_str()));
            argument.insert(name.to_owned(), rows.values().cloned().collect());
        }
        // Made of our own files only; everything else is in the argument.
        let ending = if self.rows.contains_key(&Part::Turns) {
            // A read that nothing reads from is not done.
            "SELECT count(*) FROM turns"
        } else {
            "SELECT 1"
        };
        let text = AssertSqlSafe(format!("WITH {} {ending}", steps.join(", ")));
        (text.into_sql_str(), argument.into())
    }

    /// Keeps `ff_eligible` in step with the record.
    fn place(&mut self, execution: &Execution) {
        let id = execution.id.as_str();
        let (now, before) = if execution.is_claimable() {
            (Part::Eligible, Part::Ineligible)
        } else {
            (Part::Ineligible, Part::Eligible)
        };
        let row = match now {
            Part::Eligible => json!({
                "execution_id": execution.id,
                "lane_id": execution.lane,
                "requirements": requirements::join(&execution.requirements),
                "priority": execution.priority,
                "created_at": execution.created_at,
            }),
            _ => json!(execution.id),
        };
        self.put(now, id, row);
        if let Some(rows) = self.rows.get_mut(&before) {
            rows.remove(id);
        }
    }

    fn put(&mut self, part: Part, key: impl Into<String>, row: Value) {
        self.rows.entry(part).or_default().insert(key.into(), row);
    }

    /// Adds a row after those already there.
    fn append(&mut self, part: Part, row: Value) {
        let place = self.rows.get(&part).map_or(0, BTreeMap::len);
        self.put(part, format!("{place:012}"), row);
    }
}

fn text(sql: &Statements, part: Part) -> &SqlStr {
    match part {
        Part::Created => &sql.write_created,
        Part::Updated => &sql.write_updated,
        Part::Payloads => &sql.write_payloads,
        Part::Results => &sql.write_results,
        Part::Attempts => &sql.write_attempts,
        Part::Turns => &sql.write_turns,
        Part::Eligible => &sql.write_eligible,
        Part::Ineligible => &sql.write_ineligible,
        Part::Idempotency => &sql.write_idempotency,
        Part::Lanes => &sql.write_lanes,
        Part::FlowsCreated => &sql.write_flows_created,
        Part::FlowsUpdated => &sql.write_flows_updated,
        Part::Edges => &sql.write_edges,
        Part::Groups => &sql.write_groups,
        Part::Backlog => &sql.write_backlog,
        Part::Completions => &sql.write_completions,
        Part::LeaseEvents => &sql.write_lease_events,
    }
}

fn value(record: &impl Serialize) -> Result<Value> {
    serde_json::to_value(record).map_err(|error| StoreError::Failed(error.into()))
}

/// The record with one more column.
fn with(record: &impl Serialize, column: &str, content: Value) -> Result<Value> {
    let mut row = value(record)?;
    row[column] = content;
    Ok(row)
}

/// Bytes as Postgres reads them from text.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
