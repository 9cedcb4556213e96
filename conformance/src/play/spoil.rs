//! Arguments that no call takes, tried in every place where a call has one.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ff_core::call::{Call, Method};
use ff_core::types::ExecutionId;
use ff_mock::MockBackend;
use serde_json::{Value, json};
use strum::VariantArray;
use uuid::Uuid;

use super::generated::names::Thing;
use super::samples::{ground, samples};
use super::script::Fixture;
use super::script::session::Session;
use crate::stage::{
    Deployment, Difference, Failure, Play, Played, Stage, Verdict, Waited, World, play_in_world,
};

/// What is done to an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray)]
pub enum Spoiling {
    /// A text has U+0000 in it.
    Nul,
    /// A text has one byte more than any may have.
    LongText,
    /// Bytes are one more than there may be.
    LongBytes,
    /// An integer is beyond 2^53 − 1.
    LargeInteger,
    /// A name is empty.
    EmptyName,
    /// An id is of nothing.
    UnknownId,
    /// Likewise, where a SHOULD says what that leads to.
    IdUnknownToFew,
}

/// One byte more than 64 KiB.
const TOO_LONG: usize = 64 * 1024 + 1;

/// The UUID of nothing. As a flow's it has the partition of flow 1.
static NOBODY: LazyLock<Uuid> = LazyLock::new(|| Thing::Flow.uuid(9));

const TOO_LARGE: i64 = 1 << 53;

/// What a spoilt argument leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    /// The answer, as scripts tell it.
    To(&'static str),
    /// A clause says that it is not looked at, or can be anything: it is not spoilt.
    Nowhere,
}

use Leads::{Nowhere, To};

const INPUT: Leads = To("refused: validation.invalid_input");
const REASON: Leads = To("refused: validation.invalid_blocking_reason");
const QUOTA: Leads = To("refused: validation.invalid_quota_spec");
const NO_BUDGET: Leads = To("refused: not_found.budget");
const CAPABILITIES: Leads = To("refused: validation.invalid_capabilities");
const DEPENDENCY: Leads = To("refused: validation.invalid_dependency");
const NO_TOKEN: Leads = To("refused: validation.invalid_token");
const NO_EXECUTION: Leads = To("refused: not_found.execution");
const FOREIGN: Leads = To("refused: validation.invalid_waitpoint_for_execution");
const NO_WAITPOINT: Leads = To("refused: not_found.waitpoint");
const STALE: Leads = To("refused: state.stale_lease");
const NO_FLOW: Leads = To("refused: not_found.flow");
const NO_MEMBER: Leads = To("refused: state.execution_not_in_flow");
const REJECTED: Leads = To("rejected.message=execution_not_found");
const EMPTY_STREAM: Leads = To("closed_at=null closed_reason=null frames=[]");
const NOTHING: Leads = To("ok, nothing");

/// Where texts and numbers lead to something else than their rule says, with the clause that says so. A place is a JSON
/// pointer into the call, or the beginning of one.
const TEXTS: [(&str, Leads, &str); 23] = [
    ("/create_execution/args/policy/routing_requirements/required", CAPABILITIES, "EXE-004"),
    ("/claim/capabilities", CAPABILITIES, "SCH-004"),
    ("/issue_claim_grant/args/worker_capabilities", CAPABILITIES, "CLM-019"),
    ("/claim_for_worker/args/worker_capabilities", CAPABILITIES, "CLM-037"),
    ("/issue_reclaim_grant/args/worker_capabilities", CAPABILITIES, "LSE-032"),
    ("/register_worker/args/capabilities", CAPABILITIES, "WRK-002"),
    ("/promote_delayed/lane", Nowhere, "SYS-021"),
    ("/unblock_execution/lane_id", Nowhere, "SYS-021"),
    ("/unblock_execution/expected_blocking_reason", REASON, "SCH-014"),
    ("/block_route/args/reason_code", REASON, "SCH-011"),
    ("/apply_dependency_to_child/args/data_passing_ref", DEPENDENCY, "GRA-010"),
    ("/apply_dependency_to_child/args/dependency_kind", DEPENDENCY, "GRA-010"),
    ("/resolve_dependency/args/lane_id", Nowhere, "DEP-013"),
    ("/read_exec_core_fields/fields", Nowhere, "EXE-025"),
    ("/deliver_signal/args/waitpoint_token", NO_TOKEN, "SIG-004"),
    ("/create_quota_policy/args/max", QUOTA, "QUO-002"),
    ("/create_quota_policy/args/window", QUOTA, "QUO-002"),
    ("/check_admission/args/concurrency", QUOTA, "QUO-006"),
    ("/check_admission/args/jitter", QUOTA, "QUO-006"),
    ("/check_admission/args/rate", QUOTA, "QUO-006"),
    ("/check_admission/args/window", QUOTA, "QUO-006"),
    ("/rotate_waitpoint_hmac_secret_all", Nowhere, "WPT-018"),
    ("/seed_waitpoint_hmac_secret", Nowhere, "WPT-022"),
];

/// The names that are not empty, by the end of their places, with the clauses that say so.
const NAMES: [(&str, &str); 37] = [
    ("/create_execution/args/namespace", "SYS-033"),
    ("/execution_kind", "SYS-033"),
    ("/worker_id", "SYS-033"),
    ("/worker_instance_id", "SYS-033"),
    ("/create_execution/args/lane_id", "EXE-003"),
    ("/claim/lane", "EXE-003"),
    ("/issue_claim_grant/args/lane_id", "CLM-019"),
    ("/claim_for_worker/args/lane_id", "CLM-037"),
    ("/scan_eligible_executions/args/lane_id", "SCH-019"),
    ("/trim_retention/lane_id", "OPS-027"),
    ("/reconcile_execution_index/lanes/0", "SCH-023"),
    ("/claim_execution/args/lane_id", "CLM-025"),
    ("/issue_reclaim_grant/args/lane_id", "LSE-032"),
    ("/reclaim_execution/args/lane_id", "LSE-032"),
    ("/issue_grant_and_claim/args/lane_id", "CLM-030"),
    ("/block_route/args/lane_id", "SCH-009"),
    ("/register_worker/args/namespace", "WRK-016"),
    ("/register_worker/args/lanes/0", "WRK-002"),
    ("/heartbeat_worker/args/namespace", "WRK-016"),
    ("/mark_worker_dead/args/namespace", "WRK-016"),
    ("/list_workers/args/namespace", "WRK-016"),
    ("/block_execution_for_admission/args/lane_id", "SCH-009"),
    ("/claim_resumed_execution/args/lane_id", "SUS-054"),
    ("/grant/lane_id", "SUS-054"),
    ("/create_flow/args/namespace", "FLW-008"),
    ("/create_budget/args/dimensions/0", "BUD-002"),
    ("/report_usage_admin/args/dimensions/0", "BUD-028"),
    ("/flow_kind", "FLW-008"),
    ("_execution_tag/key", "EXE-031"),
    ("_flow_tag/key", "FLW-028"),
    ("/stage_dependency_edge/args/dependency_kind", "GRA-005"),
    ("/cancellation_policy", "CAN-001"),
    ("/signal_name", "SIG-002"),
    ("/create_waitpoint/waitpoint_key", "WPT-001"),
    ("/fresh/waitpoint_key", "SUS-007"),
    ("/trigger_type", "SUS-032"),
    ("/close_waitpoint/waitpoint_id", "WPT-033"),
];

/// Names that can be empty all the same.
const NAMELESS: [(&str, &str); 1] = [("/revoke_lease/args/worker_instance_id", "OPS-017")];

/// Where ids of nothing lead to something else than `NotFound`, or to nothing where they are read.
const UNKNOWN: [(&str, Leads, &str); 44] = [
    ("/create_budget", Nowhere, "BUD-004"),
    ("/reset_budget", NO_BUDGET, "BUD-034"),
    ("/get_budget_status", NO_BUDGET, "BUD-034"),
    ("/read_budget_usage_and_limits", To(""), "BUD-024"),
    ("/report_usage", Nowhere, "BUD-006"),
    ("/record_spend", Nowhere, "BUD-006"),
    ("/release_budget", NOTHING, "BUD-019"),
    ("/create_quota_policy", Nowhere, "QUO-003"),
    ("/check_admission", Nowhere, "QUO-019"),
    ("/release_admission", To("released"), "QUO-015"),
    ("/create_execution", Nowhere, "EXE-001"),
    ("/create_flow", Nowhere, "FLW-009"),
    ("/stage_dependency_edge/args/edge_id", Nowhere, "GRA-007"),
    ("/stage_dependency_edge/args/upstream", NO_MEMBER, "GRA-005"),
    ("/stage_dependency_edge/args/downstream", NO_MEMBER, "GRA-005"),
    ("/set_edge_group_policy/downstream", NO_MEMBER, "DEP-001"),
    ("/apply_dependency_to_child/args/edge_id", DEPENDENCY, "GRA-010"),
    ("/apply_dependency_to_child/args/upstream", DEPENDENCY, "GRA-010"),
    ("/apply_dependency_to_child/args/downstream", DEPENDENCY, "GRA-010"),
    ("/resolve_dependency", DEPENDENCY, "DEP-010"),
    ("/cascade_completion", To("cascaded_children=0 resolved=0 synchronous=true"), "DEP-020"),
    ("/drain_sibling_cancel_group", NOTHING, "DEP-029"),
    ("/reconcile_sibling_cancel_group", To("no_op"), "DEP-030"),
    ("/ack_cancel_member", NOTHING, "CAN-020"),
    ("/project_flow_summary", To("false"), "FLW-031"),
    ("/suspend/", Nowhere, "SUS-021"),
    ("/suspend_by_triple/args", Nowhere, "SUS-027"),
    ("/suspend_by_triple/triple", Nowhere, "SUS-027"),
    ("/deliver_signal/args/signal_id", Nowhere, "SIG-006"),
    ("/claim_execution/args/lease_id", Nowhere, "CLM-020"),
    ("/reclaim_execution/args/lease_id", Nowhere, "LSE-026"),
    ("/reclaim_execution/args/attempt_id", Nowhere, "LSE-026"),
    ("/claim_execution/args/attempt_id", Nowhere, "CLM-020"),
    ("/renew_lease/args/fence", STALE, "LSE-001"),
    ("/complete_execution/args/fence", STALE, "LSE-001"),
    ("/fail_execution/args/fence", STALE, "LSE-001"),
    ("/claim_resumed_execution/args/lease_id", Nowhere, "SUS-050"),
    ("/deliver_signal/args/waitpoint_id", NO_TOKEN, "SIG-004"),
    ("/deliver_approval_signal/args/waitpoint_id", NO_WAITPOINT, "SIG-017"),
    ("/read_execution_context", INPUT, "EXE-022"),
    ("/read_exec_core_fields", To("lane_id=null"), "EXE-025"),
    ("/list_edges", To("[]"), "GRA-017"),
    ("/list_pending_waitpoints", NO_EXECUTION, "WPT-013"),
    ("/expire_suspension", NOTHING, "SUS-033"),
];

/// Where a SHOULD says what ids of nothing lead to.
const DECIDED: [(&str, Leads, &str); 13] = [
    ("/evaluate_flow_eligibility", To("status.status=not_found"), "DEP-032"),
    ("/mark_lease_expired_if_due", NOTHING, "SYS-036"),
    ("/promote_delayed", NOTHING, "SYS-036"),
    ("/block_route", REJECTED, "SCH-009"),
    ("/block_execution_for_admission", REJECTED, "SCH-009"),
    ("/unblock_execution", NOTHING, "SYS-036"),
    ("/expire_execution", NOTHING, "SYS-036"),
    ("/close_waitpoint/execution_id", FOREIGN, "WPT-033"),
    ("/close_waitpoint", NOTHING, "SYS-036"),
    ("/read_stream", EMPTY_STREAM, "STR-019"),
    ("/tail_stream", EMPTY_STREAM, "STR-019"),
    ("/read_current_attempt_index", INPUT, "ATT-030"),
    ("/read_total_attempt_count", INPUT, "ATT-030"),
];

impl Spoiling {
    /// What takes the place of a leaf.
    fn instead(self, leaf: &Leaf) -> Vec<Value> {
        match (self, &leaf.kind) {
            (Self::Nul, Kind::Text) => vec![json!("a\0b")],
            (Self::LongText, Kind::Text) | (Self::LongBytes, Kind::Bytes) => {
                vec![json!("x".repeat(TOO_LONG))]
            }
            (Self::LargeInteger, Kind::Integer) => vec![json!(TOO_LARGE), json!(-TOO_LARGE)],
            (Self::EmptyName, Kind::Text) => vec![json!("")],
            (Self::UnknownId | Self::IdUnknownToFew, Kind::Id(None)) => vec![json!(*NOBODY)],
            (Self::UnknownId | Self::IdUnknownToFew, Kind::Id(Some(known))) => {
                vec![json!(ExecutionId::from_parts(known.partition(), *NOBODY))]
            }
            _ => Vec::new(),
        }
    }

    /// A sample spoilt in each place, with what that leads to.
    fn all(self, sample: &Call) -> Vec<(String, &'static str, Call)> {
        let Ok(value) = serde_json::to_value(sample) else { return Vec::new() };
        let mut all = Vec::new();
        for leaf in leaves(&value) {
            let To(expected) = self.leads(sample.method(), &leaf) else { continue };
            for instead in self.instead(&leaf) {
                let spoilt = with(&value, &leaf.at, instead);
                all.extend(spoilt.map(|call| (leaf.at.clone(), expected, call)));
            }
        }
        all
    }

    /// Whether the call has an argument that can be spoilt like this.
    pub fn has_place_in(self, sample: &Call) -> bool {
        !self.all(sample).is_empty()
    }

    /// What a leaf that is spoilt like this leads to.
    fn leads(self, method: Method, leaf: &Leaf) -> Leads {
        let at = leaf.at.as_str();
        let exception = |table: &[(&str, Leads, &str)]| {
            let found = table.iter().find(|(place, ..)| at.starts_with(place));
            found.map(|(_, leads, _)| *leads)
        };
        match self {
            Self::Nul | Self::LongText | Self::LargeInteger => exception(&TEXTS).unwrap_or(INPUT),
            Self::LongBytes => To("refused: validation.payload_too_large"),
            Self::EmptyName if NAMELESS.iter().any(|(place, _)| at == *place) => Nowhere,
            Self::EmptyName if NAMES.iter().any(|(name, _)| at.ends_with(name)) => INPUT,
            Self::EmptyName => Nowhere,
            Self::UnknownId if exception(&DECIDED).is_some() => Nowhere,
            Self::UnknownId => exception(&UNKNOWN).unwrap_or(match leaf.kind {
                _ if method.is_read() => NOTHING,
                Kind::Id(Some(_)) => NO_EXECUTION,
                _ => NO_FLOW,
            }),
            Self::IdUnknownToFew => exception(&DECIDED).unwrap_or(Nowhere),
        }
    }
}

enum Kind {
    Text,
    /// Of an execution, if it says so.
    Id(Option<ExecutionId>),
    Bytes,
    Integer,
}

/// An argument, or a part of one.
struct Leaf {
    /// A JSON pointer.
    at: String,
    kind: Kind,
}

/// The leaves of a call that can be spoilt. Handles have cases of their own, and durations no largest value.
fn leaves(call: &Value) -> Vec<Leaf> {
    fn walk(value: &Value, at: &str, found: &mut Vec<(String, bool)>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields.iter().filter(|(name, _)| *name != "handle") {
                    walk(value, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    walk(item, &format!("{at}/{place}"), found);
                }
            }
            Value::String(_) => found.push((at.to_owned(), true)),
            Value::Number(number) if !number.is_f64() => found.push((at.to_owned(), false)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(call, "", &mut found);
    let leaf = |(at, is_text): (String, bool)| {
        let kind = if is_text { text_kind(call, &at)? } else { Kind::Integer };
        (!at.ends_with("/secs") && !at.ends_with("/nanos")).then_some(Leaf { at, kind })
    };
    found.into_iter().filter_map(leaf).collect()
}

/// Whether any text can stand there, or any bytes: an id or a word of a few cannot be just anything.
fn text_kind(call: &Value, at: &str) -> Option<Kind> {
    let given = "\\x00";
    let Some(spoilt) = with(call, at, json!(given)) else {
        let text = call.pointer(at)?.as_str()?;
        let execution = ExecutionId::parse(text).ok();
        let is_id = execution.is_some() || Uuid::parse_str(text).is_ok();
        return is_id.then_some(Kind::Id(execution));
    };
    let back = serde_json::to_value(spoilt).ok()?;
    match back.pointer(at)?.as_str()? {
        back if back == given => Some(Kind::Text),
        "\\0" => Some(Kind::Bytes),
        _ => None,
    }
}

/// The call with something else in one place, if there is such a call.
fn with(call: &Value, at: &str, instead: Value) -> Option<Call> {
    let mut changed = call.clone();
    *changed.pointer_mut(at)? = instead;
    serde_json::from_value(changed).ok()
}

/// The case that arguments spoilt like this lead where they should.
#[async_trait]
impl Play for Spoiling {
    async fn play(&self, stage: Stage) -> Played {
        let spoiling = *self;
        play_in_world(stage, move |world| Box::pin(answers(world, spoiling))).await
    }
}

async fn answers(world: World, spoiling: Spoiling) -> Verdict {
    let mut ground = Ground::new(&world).await?;
    let differences = ground.spoil(spoiling).await?;
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("{} arguments are answered differently", differences.len());
    Err(Failure { differences, ..Failure::new(message) })
}

/// Spoils every argument in every way, and asserts that nothing has changed.
pub(crate) async fn leave_no_trace(world: World) -> Verdict {
    let mut ground = Ground::new(&world).await?;
    let before = ground.session.observed().await;
    for spoiling in Spoiling::VARIANTS {
        ground.spoil(*spoiling).await?;
    }
    expect_eq!(ground.session.observed().await, before, "calls that are refused leave no trace");
    Ok(())
}

/// A world in which the samples have something to be about.
struct Ground<'a> {
    session: Session<'a>,
    samples: Vec<Call>,
}

impl<'a> Ground<'a> {
    async fn new(world: &'a World) -> Result<Self, Failure> {
        let fixture = Fixture::of(world);
        let mut session = Session::new(world);
        session.play(ground(&fixture)).await?;
        let mut samples = samples(&fixture, &world.partitions());
        samples.retain(|sample| world.claims(sample.method()));
        let samples: Vec<Call> = samples.into_iter().map(|sample| session.signed(sample)).collect();
        // Whatever they name is observed from the start.
        for sample in &samples {
            session.bound(sample)?;
        }
        Ok(Self { session, samples })
    }

    /// Makes every call that is spoilt like this; returns what leads elsewhere.
    async fn spoil(&mut self, spoiling: Spoiling) -> Result<Vec<Difference>, Failure> {
        let mut differences = Vec::new();
        for sample in &self.samples {
            for (at, expected, spoilt) in spoiling.all(sample) {
                let seen = self.session.make(&spoilt).await?;
                if seen != expected {
                    let expected = expected.to_owned();
                    differences.push(Difference { what: at, expected, seen });
                }
            }
        }
        Ok(differences)
    }
}

/// The samples, on the model.
pub fn samples_of_the_model() -> Vec<Call> {
    let deployment = Deployment::new(Arc::new(MockBackend::conforming()));
    let world = World::new(&deployment, None, 0, Waited::default());
    samples(&Fixture::of(&world), &world.partitions())
}

/// The places with answers of their own, and the clauses that say so.
pub fn exceptional_places() -> impl Iterator<Item = (&'static str, &'static str)> {
    TEXTS.iter().chain(&UNKNOWN).chain(&DECIDED).map(|(place, _, id)| (*place, *id))
}

/// The places of names, and the clauses that say that they are not empty.
pub fn named_places() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.into_iter()
}
