//! The trait that every backend implements.

mod scanners;
mod tag_key;
mod waiting;

pub use scanners::{ExpirePhase, ReconcileCounts, SiblingCancelReconcileAction};
pub use tag_key::validate_tag_key;
pub use waiting::{cancel_flow_wait_deadline, until_cancelled, wait_for_flow_cancellation};

use std::any::Any;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use crate::capability::{BackendIdentity, Capabilities, Supports, Version};
use crate::engine_error::EngineError;
use crate::methods::prelude::*;
use crate::stream_events::{
    CompletionSubscription, InstanceTagSubscription, LeaseHistorySubscription,
    SignalDeliverySubscription,
};
use crate::types::MAX_INTEGER;

type Result<T> = std::result::Result<T, EngineError>;

/// A durable-execution engine.
///
/// Each call is one atomic step: it takes effect as a whole or not at all. What each method
/// promises is written in the numbered clauses of `spec/contract/`; the ids stand in parentheses.
/// A method that a backend does not provide keeps its default here, which answers
/// [`EngineError::Unavailable`] (SYS-001).
#[async_trait]
#[allow(unused_variables)]
pub trait EngineBackend: Send + Sync + 'static {
    /// Takes the first execution of the lane, in order of priority and age, whose requirements the
    /// worker meets; `None` when there is none. With `max_wait` it keeps looking for that long.
    /// (CLM-001 to CLM-008, CLM-014, SCH-002, SCH-003, SCH-004, SYS-046, SCH-018, BUD-045, BUD-046)
    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Result<Option<Handle>>;

    /// Extends the lease to the backend's time plus the handle's TTL. (LSE-002 to LSE-005, LSE-009,
    /// LSE-011, LSE-018)
    async fn renew(&self, handle: &Handle) -> Result<LeaseRenewal>;

    /// Records how far the attempt is, 0 to 100 percent, and a message of at most 64 KiB; `None` keeps
    /// what was there. (ATT-005, ATT-006, LSE-002, SYS-047, LSE-018)
    async fn progress(
        &self,
        handle: &Handle,
        percent: Option<u8>,
        message: Option<String>,
    ) -> Result<()>;

    /// Appends a frame of at most 64 KiB to the attempt's output stream, or to its summary document as
    /// well; with a `seq`, at most once. (LSE-002 to LSE-005, LSE-018, LSE-019, STR-001, STR-003 to
    /// STR-016, STR-027, STR-028, STR-030, STR-032 to STR-035, STR-037)
    async fn append_frame(&self, handle: &Handle, frame: Frame) -> Result<AppendFrameOutcome>;

    /// Ends the execution in success, with a result of at most 64 KiB. (ATT-007, ATT-008, ATT-003,
    /// LSE-002, LSE-018, ATT-031)
    async fn complete(&self, handle: &Handle, payload: Option<Vec<u8>>) -> Result<()>;

    /// Ends the attempt in failure; the execution is retried if its policy and the class permit.
    /// (ATT-009 to ATT-018, ATT-003, LSE-002, SYS-047, LSE-018, ATT-031, ATT-032)
    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        classification: FailureClass,
    ) -> Result<FailOutcome>;

    /// Ends the execution as cancelled, by the worker that holds it. (ATT-019, ATT-003, LSE-002,
    /// SYS-047, EXE-051, LSE-018, ATT-031)
    async fn cancel(&self, handle: &Handle, reason: &str) -> Result<()>;

    /// Gives up the lease until the resume condition holds. (LSE-019, SUS-007, SUS-009, SUS-010, SUS-012 to
    /// SUS-014, SUS-017 to SUS-022, SUS-024 to SUS-026, SUS-044, SUS-046, SUS-047, WPT-004, WPT-005,
    /// WPT-009, WPT-010, WPT-029)
    async fn suspend(&self, handle: &Handle, args: SuspendArgs) -> Result<SuspendOutcome>;

    /// As `suspend`, for a caller that holds the fence and not the handle. (LSE-019, SUS-007, SUS-009,
    /// SUS-010, SUS-017 to SUS-022, SUS-024 to SUS-027, SUS-044, SUS-046, SUS-047, WPT-005, WPT-010)
    async fn suspend_by_triple(
        &self,
        exec_id: ExecutionId,
        triple: LeaseFence,
        args: SuspendArgs,
    ) -> Result<SuspendOutcome> {
        unavailable("suspend_by_triple")
    }

    /// Makes a waitpoint that signals may target before a suspension uses it. (LSE-019, WPT-001 to WPT-005,
    /// WPT-009, WPT-010, WPT-029, WPT-034)
    async fn create_waitpoint(
        &self,
        handle: &Handle,
        waitpoint_key: &str,
        expires_in: Duration,
    ) -> Result<PendingWaitpoint>;

    /// The token of a waitpoint; `None` when there is no such waitpoint. (WPT-011, WPT-030)
    async fn read_waitpoint_token(
        &self,
        partition: PartitionKey,
        waitpoint_id: &WaitpointId,
    ) -> Result<Option<String>> {
        unavailable("read_waitpoint_token")
    }

    /// The signals that resumed the handle's execution. (SIG-003, SUS-035, SUS-040, SUS-048)
    async fn observe_signals(&self, handle: &Handle) -> Result<Vec<ResumeSignal>>;

    /// Goes on with an interrupted attempt by a grant; `None` when the execution cannot go on. (SUS-037, SUS-039,
    /// SUS-050, SUS-052 to SUS-055)
    async fn claim_from_resume_grant(&self, token: ResumeToken) -> Result<Option<Handle>>;

    /// Keeps an execution whose lease has lapsed or was revoked for a worker, for 1 to 2^53 − 1 ms. (LSE-023 to LSE-025,
    /// LSE-029, LSE-031, LSE-032)
    async fn issue_reclaim_grant(
        &self,
        args: IssueReclaimGrantArgs,
    ) -> Result<IssueReclaimGrantOutcome> {
        unavailable("issue_reclaim_grant")
    }

    /// Starts a new attempt in place of one that was left behind, by a grant, for 1 to 2^53 − 1 ms. (LSE-024, LSE-026 to
    /// LSE-032)
    async fn reclaim_execution(
        &self,
        args: ReclaimExecutionArgs,
    ) -> Result<ReclaimExecutionOutcome> {
        unavailable("reclaim_execution")
    }

    /// Gives up the lease until `delay_until`, a positive time in Unix milliseconds; the same attempt goes on then,
    /// by a grant. (ATT-003, ATT-004, ATT-020, ATT-021, ATT-033, LSE-002 to LSE-005, LSE-018)
    async fn delay(&self, handle: &Handle, delay_until: TimestampMs) -> Result<()>;

    /// Gives up the lease until the dependencies are resolved; the same attempt continues then.
    /// (ATT-022, DEP-034, DEP-035, LSE-002 to LSE-005, ATT-003, ATT-004, LSE-018, ATT-031, SUS-055)
    async fn wait_children(&self, handle: &Handle) -> Result<()>;

    /// The execution at one instant; `None` when there is none. (EXE-016 to EXE-019, EXE-028)
    async fn describe_execution(&self, id: &ExecutionId) -> Result<Option<ExecutionSnapshot>>;

    /// What a worker needs to run it. (EXE-015, EXE-022)
    async fn read_execution_context(&self, execution_id: &ExecutionId) -> Result<ExecutionContext>;

    /// The index of the attempt most recently started. (ATT-001, ATT-002, ATT-030)
    async fn read_current_attempt_index(&self, execution_id: &ExecutionId) -> Result<AttemptIndex> {
        unavailable("read_current_attempt_index")
    }

    /// How many attempts were started; the index the next one gets. (ATT-001, ATT-002, ATT-030)
    async fn read_total_attempt_count(&self, execution_id: &ExecutionId) -> Result<AttemptIndex> {
        unavailable("read_total_attempt_count")
    }

    /// The flow at one instant; `None` when there is none. (FLW-011 to FLW-016, DEP-003, CAN-004,
    /// CAN-031, FLW-035, FLW-038)
    async fn describe_flow(&self, id: &FlowId) -> Result<Option<FlowSnapshot>>;

    /// Sets one tag, in any state. (EXE-029, EXE-031, EXE-032, SYS-047)
    async fn set_execution_tag(
        &self,
        execution_id: &ExecutionId,
        key: &str,
        value: &str,
    ) -> Result<()> {
        unavailable("set_execution_tag")
    }

    /// Sets one tag of a flow, in any state; at most 64 KiB. (FLW-028 to FLW-030, SYS-047, FLW-038)
    async fn set_flow_tag(&self, flow_id: &FlowId, key: &str, value: &str) -> Result<()> {
        unavailable("set_flow_tag")
    }

    /// One tag; `None` when it is not set or there is no such execution. (EXE-030, EXE-031)
    async fn get_execution_tag(
        &self,
        execution_id: &ExecutionId,
        key: &str,
    ) -> Result<Option<String>> {
        unavailable("get_execution_tag")
    }

    /// The tenant; `None` when there is no such execution. (EXE-024)
    async fn get_execution_namespace(&self, execution_id: &ExecutionId) -> Result<Option<String>> {
        unavailable("get_execution_namespace")
    }

    /// One tag of a flow; `None` when it is not set or there is no such flow. (FLW-028, FLW-030)
    async fn get_flow_tag(&self, flow_id: &FlowId, key: &str) -> Result<Option<String>> {
        unavailable("get_flow_tag")
    }

    /// Every dependency that leaves or enters a member, ascending by id. (GRA-017, GRA-018, GRA-021,
    /// GRA-029)
    async fn list_edges(
        &self,
        flow_id: &FlowId,
        direction: EdgeDirection,
    ) -> Result<Vec<EdgeSnapshot>> {
        unavailable("list_edges")
    }

    /// One dependency; `None` when there is none. (GRA-020, GRA-021, GRA-027)
    async fn describe_edge(
        &self,
        flow_id: &FlowId,
        edge_id: &EdgeId,
    ) -> Result<Option<EdgeSnapshot>> {
        unavailable("describe_edge")
    }

    /// The flow an execution belongs to; `None` when to none. (FLW-027)
    async fn resolve_execution_flow_id(
        &self,
        execution_id: &ExecutionId,
    ) -> Result<Option<FlowId>> {
        unavailable("resolve_execution_flow_id")
    }

    /// Flows of a partition, ascending by id, at most 1 000 a page. (FLW-006, FLW-016 to FLW-020,
    /// FLW-034, FLW-036)
    async fn list_flows(
        &self,
        partition: PartitionKey,
        cursor: Option<FlowId>,
        limit: usize,
    ) -> Result<ListFlowsPage> {
        unavailable("list_flows")
    }

    /// Lanes, ascending, at most 1 000 a page. (EXE-036, EXE-014, EXE-050)
    async fn list_lanes(&self, cursor: Option<LaneId>, limit: usize) -> Result<ListLanesPage> {
        unavailable("list_lanes")
    }

    /// Suspended executions of a partition, oldest suspension first, at most 1 000 a page. (SUS-042,
    /// SUS-043)
    async fn list_suspended(
        &self,
        partition: PartitionKey,
        cursor: Option<ExecutionId>,
        limit: usize,
    ) -> Result<ListSuspendedPage> {
        unavailable("list_suspended")
    }

    /// Executions of a partition, ascending by id, at most 1 000 a page. (EXE-033 to EXE-035, EXE-049)
    async fn list_executions(
        &self,
        partition: PartitionKey,
        cursor: Option<ExecutionId>,
        limit: usize,
    ) -> Result<ListExecutionsPage> {
        unavailable("list_executions")
    }

    /// Delivers a signal to a waitpoint. (SIG-001 to SIG-009, SIG-012, SIG-013, SIG-015, SIG-021, SIG-022,
    /// CAN-007, SUS-012 to SUS-014, SUS-029, SUS-030, WPT-004, WPT-006 to WPT-009, WPT-029, WPT-034)
    async fn deliver_signal(&self, args: DeliverSignalArgs) -> Result<DeliverSignalResult> {
        unavailable("deliver_signal")
    }

    /// Goes on with an interrupted attempt by a grant, under a lease of 1 to 2^53 − 1 ms. (LSE-001, SUS-037 to SUS-039,
    /// SUS-050, SUS-051, SUS-053 to SUS-055)
    async fn claim_resumed_execution(
        &self,
        args: ClaimResumedExecutionArgs,
    ) -> Result<ClaimResumedExecutionResult> {
        unavailable("claim_resumed_execution")
    }

    /// What waits on a lane in a partition, in the order of claims, 0 to 1 000 ids. (SCH-005, SCH-006, SCH-019)
    async fn scan_eligible_executions(&self, args: ScanEligibleArgs) -> Result<Vec<ExecutionId>> {
        unavailable("scan_eligible_executions")
    }

    /// Keeps an execution that waits for a worker, for 1 to 2^53 − 1 ms. (CLM-013 to CLM-019, BUD-047)
    async fn issue_claim_grant(&self, args: IssueClaimGrantArgs) -> Result<IssueClaimGrantOutcome> {
        unavailable("issue_claim_grant")
    }

    /// Keeps an execution that no worker can run from every claim, until one comes that can. (SCH-007 to SCH-011)
    async fn block_route(&self, args: BlockRouteArgs) -> Result<BlockRouteOutcome> {
        unavailable("block_route")
    }

    /// Starts a new attempt by a grant, under ids that the caller gives, for 1 to 2^53 − 1 ms. (CLM-020 to CLM-026, BUD-047)
    async fn claim_execution(&self, args: ClaimExecutionArgs) -> Result<ClaimExecutionResult> {
        unavailable("claim_execution")
    }

    /// Closes a flow and cancels the members that the policy selects. (CAN-002 to CAN-007, CAN-010 to
    /// CAN-014, CAN-031 to CAN-033, EXE-051, FLW-035, CAN-036, CAN-035)
    async fn cancel_flow(
        &self,
        id: &FlowId,
        policy: CancelFlowPolicy,
        wait: CancelFlowWait,
    ) -> Result<CancelFlowResult>;

    /// Sets how many upstreams a member needs, before its first edge is staged; a quorum is from 1 to
    /// 2^31 − 1. (DEP-001 to DEP-004, DEP-050)
    async fn set_edge_group_policy(
        &self,
        flow_id: &FlowId,
        downstream_execution_id: &ExecutionId,
        policy: EdgeDependencyPolicy,
    ) -> Result<SetEdgeGroupPolicyResult> {
        unavailable("set_edge_group_policy")
    }

    /// Makes a new secret current on every partition; the old one verifies for `grace_ms` more, from 0 to
    /// 2^53 − 1. (WPT-009, WPT-018 to WPT-020, WPT-025, WPT-026)
    async fn rotate_waitpoint_hmac_secret_all(
        &self,
        args: RotateWaitpointHmacSecretAllArgs,
    ) -> Result<RotateWaitpointHmacSecretAllResult> {
        unavailable("rotate_waitpoint_hmac_secret_all")
    }

    /// Installs the first signing secret. (WPT-009, WPT-022 to WPT-024, WPT-026 to WPT-028)
    async fn seed_waitpoint_hmac_secret(
        &self,
        args: SeedWaitpointHmacSecretArgs,
    ) -> Result<SeedOutcome> {
        unavailable("seed_waitpoint_hmac_secret")
    }

    /// Adds usage to a budget on behalf of an attempt, at most once under a key within 24 h. (BUD-006 to
    /// BUD-008, BUD-010, BUD-011, BUD-013 to BUD-015, BUD-028, BUD-036, BUD-038 to BUD-043)
    async fn report_usage(
        &self,
        handle: &Handle,
        budget: &BudgetId,
        dimensions: UsageDimensions,
    ) -> Result<ReportUsageResult>;

    /// Frames between two places, both included; `count_limit` is 1 to 10 000. (STR-001, STR-003 to
    /// STR-006, STR-015 to STR-019, STR-024, STR-026, STR-030, STR-038, STR-039)
    async fn read_stream(
        &self,
        execution_id: &ExecutionId,
        attempt_index: AttemptIndex,
        from: StreamCursor,
        to: StreamCursor,
        count_limit: u64,
    ) -> Result<StreamFrames> {
        unavailable("read_stream")
    }

    /// Frames after a place, waiting up to `block_ms` milliseconds, at most 30 000, for the first;
    /// `count_limit` is 1 to 10 000. (STR-001, STR-005, STR-006, STR-015 to STR-017, STR-019 to
    /// STR-024, STR-041, STR-042)
    async fn tail_stream(
        &self,
        execution_id: &ExecutionId,
        attempt_index: AttemptIndex,
        after: StreamCursor,
        block_ms: u64,
        count_limit: u64,
        visibility: TailVisibility,
    ) -> Result<StreamFrames> {
        unavailable("tail_stream")
    }

    /// The summary document; `None` when nothing was merged yet. (STR-001, STR-010 to STR-012, STR-025,
    /// STR-026, STR-029, STR-037)
    async fn read_summary(
        &self,
        execution_id: &ExecutionId,
        attempt_index: AttemptIndex,
    ) -> Result<Option<SummaryDocument>> {
        unavailable("read_summary")
    }

    /// Stores new work. (ATT-013, BUD-045, EXE-001 to EXE-015, EXE-037, EXE-041 to EXE-043, EXE-046,
    /// EXE-047, OPS-020, OPS-023, OPS-024, STR-035, STR-036)
    async fn create_execution(&self, args: CreateExecutionArgs) -> Result<CreateExecutionResult> {
        unavailable("create_execution")
    }

    /// Stores a new, empty flow. (FLW-006, FLW-008 to FLW-010)
    async fn create_flow(&self, args: CreateFlowArgs) -> Result<CreateFlowResult> {
        unavailable("create_flow")
    }

    /// Makes an execution a member. (FLW-006, FLW-016, FLW-021 to FLW-025, FLW-037)
    async fn add_execution_to_flow(
        &self,
        args: AddExecutionToFlowArgs,
    ) -> Result<AddExecutionToFlowResult> {
        unavailable("add_execution_to_flow")
    }

    /// Adds a dependency, if the graph is still at the expected revision. (GRA-001 to GRA-009, GRA-025,
    /// GRA-026, GRA-027)
    async fn stage_dependency_edge(
        &self,
        args: StageDependencyEdgeArgs,
    ) -> Result<StageDependencyEdgeResult> {
        unavailable("stage_dependency_edge")
    }

    /// Lets a staged dependency take effect on its downstream member. (GRA-010 to GRA-016, GRA-022,
    /// GRA-027, GRA-028)
    async fn apply_dependency_to_child(
        &self,
        args: ApplyDependencyToChildArgs,
    ) -> Result<ApplyDependencyToChildResult> {
        unavailable("apply_dependency_to_child")
    }

    /// Counts an upstream's end on one dependency; the caller says how it ended. (DEP-005 to DEP-019,
    /// DEP-026, DEP-028, DEP-043 to DEP-047, FLW-007, DEP-051)
    async fn resolve_dependency(
        &self,
        args: ResolveDependencyArgs,
    ) -> Result<ResolveDependencyOutcome> {
        unavailable("resolve_dependency")
    }

    /// Counts an execution's end on everything that depends on it, and goes on from each member that
    /// this skips. (DEP-020 to DEP-024, CAN-011, and as
    /// `resolve_dependency`)
    async fn cascade_completion(&self, payload: &CompletionPayload) -> Result<CascadeOutcome> {
        unavailable("cascade_completion")
    }

    /// Ends an execution as cancelled, whoever holds it.
    async fn cancel_execution(&self, args: CancelExecutionArgs) -> Result<CancelExecutionResult> {
        unavailable("cancel_execution")
    }

    /// Gives an execution that waits for a worker the place of another priority, 0 to 9000. (OPS-006, OPS-007,
    /// OPS-013)
    async fn change_priority(&self, args: ChangePriorityArgs) -> Result<ChangePriorityResult> {
        unavailable("change_priority")
    }

    /// Makes a terminal execution claimable again. (OPS-008 to OPS-011, DEP-037 to DEP-041, OPS-012)
    async fn replay_execution(&self, args: ReplayExecutionArgs) -> Result<ReplayExecutionResult> {
        unavailable("replay_execution")
    }

    /// Takes the lease from its holder; the attempt stays open until somebody reclaims the execution. (OPS-014, OPS-016 to
    /// OPS-019)
    async fn revoke_lease(&self, args: RevokeLeaseArgs) -> Result<RevokeLeaseResult> {
        unavailable("revoke_lease")
    }

    /// As `complete`, for a caller that names the lease, or an operator who names none. (ATT-007, ATT-008, ATT-035,
    /// LSE-002 to LSE-007, LSE-018, LSE-020)
    async fn complete_execution(
        &self,
        args: CompleteExecutionArgs,
    ) -> Result<CompleteExecutionResult> {
        unavailable("complete_execution")
    }

    /// As `fail`, for a caller that names the lease, or an operator who names none. (ATT-009, ATT-012, ATT-034, ATT-036,
    /// LSE-002 to LSE-007, LSE-018, LSE-020)
    async fn fail_execution(&self, args: FailExecutionArgs) -> Result<FailExecutionResult> {
        unavailable("fail_execution")
    }

    /// As `renew`, for a caller that names the lease, for 1 to 2^53 − 1 ms. (LSE-002 to LSE-007, LSE-010, LSE-018,
    /// LSE-020, LSE-021)
    async fn renew_lease(&self, args: RenewLeaseArgs) -> Result<RenewLeaseResult> {
        unavailable("renew_lease")
    }

    /// Resumes a suspended execution. (SUS-029 to SUS-032)
    async fn resume_execution(&self, args: ResumeExecutionArgs) -> Result<ResumeExecutionResult> {
        unavailable("resume_execution")
    }

    /// Asks a quota policy to admit an execution, for the length of the window in seconds. (QUO-005 to
    /// QUO-013, QUO-019 to QUO-022)
    async fn check_admission(
        &self,
        quota_policy_id: &QuotaPolicyId,
        dimension: &str,
        args: CheckAdmissionArgs,
    ) -> Result<CheckAdmissionResult> {
        unavailable("check_admission")
    }

    /// Keeps an execution whose admission was denied from every claim. (SCH-007 to SCH-010)
    async fn block_execution_for_admission(
        &self,
        args: BlockExecutionForAdmissionArgs,
    ) -> Result<BlockExecutionForAdmissionOutcome> {
        unavailable("block_execution_for_admission")
    }

    /// A budget's usage beside its limits; empty when there is no such budget. (BUD-024, BUD-035)
    async fn read_budget_usage_and_limits(
        &self,
        budget_id: &BudgetId,
    ) -> Result<BudgetUsageAndLimits> {
        unavailable("read_budget_usage_and_limits")
    }

    /// A quota policy's limits; `None` when there is no such policy. (QUO-004, QUO-018)
    async fn read_quota_policy_limits(
        &self,
        quota_policy_id: &QuotaPolicyId,
    ) -> Result<Option<QuotaPolicyLimits>> {
        unavailable("read_quota_policy_limits")
    }

    /// Whether a member's dependencies let it run. (DEP-032, DEP-033, DEP-048)
    async fn evaluate_flow_eligibility(
        &self,
        args: EvaluateFlowEligibilityArgs,
    ) -> Result<EvaluateFlowEligibilityResult> {
        unavailable("evaluate_flow_eligibility")
    }

    /// Adds usage to a budget in the name of an execution, at most once under a key within 24 h. (BUD-006,
    /// BUD-010, BUD-011, BUD-013 to BUD-015, BUD-017, BUD-022, BUD-028, BUD-038 to BUD-041, BUD-043)
    async fn record_spend(&self, args: RecordSpendArgs) -> Result<ReportUsageResult> {
        unavailable("record_spend")
    }

    /// Gives back what was counted in an execution's name since the last reset. (BUD-018, BUD-019, BUD-021,
    /// BUD-042, BUD-044)
    async fn release_budget(&self, args: ReleaseBudgetArgs) -> Result<()> {
        unavailable("release_budget")
    }

    /// Ends an execution's admissions under a quota policy. (QUO-014, QUO-015, QUO-023)
    async fn release_admission(
        &self,
        args: ReleaseAdmissionArgs,
    ) -> Result<ReleaseAdmissionResult> {
        unavailable("release_admission")
    }

    /// Delivers an operator's approval to a waitpoint. (SIG-002, SIG-009, SIG-017 to SIG-019, SIG-021,
    /// SIG-022, WPT-008)
    async fn deliver_approval_signal(
        &self,
        args: DeliverApprovalSignalArgs,
    ) -> Result<DeliverSignalResult> {
        unavailable("deliver_approval_signal")
    }

    /// Claims one execution that waits for a worker, whatever it requires, on an operator's authority, for 1 to
    /// 2^53 − 1 ms. (CLM-027 to CLM-031, BUD-047)
    async fn issue_grant_and_claim(
        &self,
        args: IssueGrantAndClaimArgs,
    ) -> Result<ClaimGrantOutcome> {
        unavailable("issue_grant_and_claim")
    }

    /// Stores a new budget: at most 64 dimensions, limits of at most 2^53 − 1, an interval in milliseconds.
    /// (BUD-002 to BUD-005, BUD-030, BUD-031)
    async fn create_budget(&self, args: CreateBudgetArgs) -> Result<CreateBudgetResult> {
        unavailable("create_budget")
    }

    /// Starts a budget's usage again from nothing. (BUD-020 to BUD-022, BUD-032 to BUD-034)
    async fn reset_budget(&self, args: ResetBudgetArgs) -> Result<ResetBudgetResult> {
        unavailable("reset_budget")
    }

    /// Stores a new quota policy: a rate in a window of seconds, and a cap. (QUO-002, QUO-003)
    async fn create_quota_policy(
        &self,
        args: CreateQuotaPolicyArgs,
    ) -> Result<CreateQuotaPolicyResult> {
        unavailable("create_quota_policy")
    }

    /// A budget's definition, usage and breaches; times are decimal Unix milliseconds. (BUD-023, BUD-030,
    /// BUD-031, BUD-034, BUD-038)
    async fn get_budget_status(&self, id: &BudgetId) -> Result<BudgetStatus> {
        unavailable("get_budget_status")
    }

    /// Adds usage to a budget on an operator's authority, at most once under a key within 24 h. (BUD-006,
    /// BUD-009 to BUD-011, BUD-013 to BUD-015, BUD-022, BUD-028, BUD-037 to BUD-043)
    async fn report_usage_admin(
        &self,
        budget: &BudgetId,
        args: ReportUsageAdminArgs,
    ) -> Result<ReportUsageResult> {
        unavailable("report_usage_admin")
    }

    /// The result of a successful execution; `None` in every other case. (EXE-023)
    async fn get_execution_result(&self, id: &ExecutionId) -> Result<Option<Vec<u8>>> {
        unavailable("get_execution_result")
    }

    /// Waitpoints of an execution that still accept signals. (WPT-002, WPT-009, WPT-013 to WPT-015,
    /// WPT-031, WPT-032)
    async fn list_pending_waitpoints(
        &self,
        args: ListPendingWaitpointsArgs,
    ) -> Result<ListPendingWaitpointsResult> {
        unavailable("list_pending_waitpoints")
    }

    /// Whether one round trip to the storage succeeds now. (SYS-008)
    async fn ping(&self) -> Result<()> {
        unavailable("ping")
    }

    /// Registers a worker for 1 to 2^53 − 1 ms, or replaces what is registered of it; lifts route blocks that are there for
    /// want of it. (WRK-001, WRK-002, WRK-004 to WRK-006, WRK-009, WRK-013 to WRK-016)
    async fn register_worker(&self, args: RegisterWorkerArgs) -> Result<RegisterWorkerOutcome> {
        unavailable("register_worker")
    }

    /// Keeps a registration alive for its TTL, and lifts route blocks as it does. (WRK-003, WRK-005, WRK-006, WRK-013,
    /// WRK-014, WRK-016)
    async fn heartbeat_worker(&self, args: HeartbeatWorkerArgs) -> Result<HeartbeatWorkerOutcome> {
        unavailable("heartbeat_worker")
    }

    /// Removes a registration; no lease ends by it. (WRK-005, WRK-007, WRK-008, WRK-013, WRK-016)
    async fn mark_worker_dead(&self, args: MarkWorkerDeadArgs) -> Result<MarkWorkerDeadOutcome> {
        unavailable("mark_worker_dead")
    }

    /// Leases that have run out at `as_of`, the first to do so first, 1 to 10 000 in a page. (LSE-033 to LSE-037)
    async fn list_expired_leases(
        &self,
        args: ListExpiredLeasesArgs,
    ) -> Result<ListExpiredLeasesResult> {
        unavailable("list_expired_leases")
    }

    /// The workers that are registered in a namespace, or in all, 1 to 10 000 in a page. (WRK-001, WRK-005, WRK-006,
    /// WRK-009 to WRK-012, WRK-016)
    async fn list_workers(&self, args: ListWorkersArgs) -> Result<ListWorkersResult> {
        unavailable("list_workers")
    }

    /// Finds work for a worker and keeps it for 1 to 2^53 − 1 ms. (CLM-009, CLM-032 to CLM-037, BUD-045,
    /// BUD-046)
    async fn claim_for_worker(&self, args: ClaimForWorkerArgs) -> Result<ClaimForWorkerOutcome> {
        unavailable("claim_for_worker")
    }

    /// Brings the storage to where the backend needs it; safe to repeat and to race. (SYS-009)
    async fn prepare(&self) -> Result<PrepareOutcome> {
        Ok(PrepareOutcome::NoOp)
    }

    /// Stops taking on work and waits at most `grace` for what is under way. (SYS-010)
    async fn shutdown_prepare(&self, grace: Duration) -> Result<()> {
        Ok(())
    }

    /// Closes a flow, leaving the members to be cancelled one by one. (CAN-001, CAN-002, CAN-004,
    /// CAN-011, CAN-016 to CAN-019, CAN-031, CAN-032, CAN-034, CAN-035)
    async fn cancel_flow_header(&self, args: CancelFlowArgs) -> Result<CancelFlowHeader> {
        unavailable("cancel_flow_header")
    }

    /// Strikes a member off those that `cancel_flow_header` left to be cancelled. (CAN-020, CAN-021)
    async fn ack_cancel_member(&self, flow_id: &FlowId, execution_id: &ExecutionId) -> Result<()> {
        unavailable("ack_cancel_member")
    }

    /// The execution, for dashboards; `None` when there is none. (EXE-018 to EXE-020, EXE-048)
    async fn read_execution_info(&self, id: &ExecutionId) -> Result<Option<ExecutionInfo>> {
        unavailable("read_execution_info")
    }

    /// The public state; `None` when there is no such execution. (EXE-021, EXE-019)
    async fn read_execution_state(&self, id: &ExecutionId) -> Result<Option<PublicState>> {
        unavailable("read_execution_state")
    }

    /// Leases as they begin, go on and end, in every partition, from a cursor on; the empty one means
    /// from now. (EVT-002, EVT-003, EVT-005 to EVT-015, EVT-021, EVT-023 to EVT-025)
    async fn subscribe_lease_history(
        &self,
        cursor: stream_subscribe::StreamCursor,
        filter: &ScannerFilter,
    ) -> Result<LeaseHistorySubscription> {
        unavailable("subscribe_lease_history")
    }

    /// Executions as they end, in every partition, from a cursor on; the empty one means from now.
    /// (EVT-002, EVT-003, EVT-005 to EVT-013, EVT-017, EVT-018, EVT-021, EVT-023, EVT-024, EVT-026)
    async fn subscribe_completion(
        &self,
        cursor: stream_subscribe::StreamCursor,
        filter: &ScannerFilter,
    ) -> Result<CompletionSubscription> {
        unavailable("subscribe_completion")
    }

    /// Signals as they arrive, in every partition, from a cursor on; the empty one means from now.
    /// (EVT-002, EVT-003, EVT-005 to EVT-013, EVT-016, EVT-021, EVT-023, EVT-024, EVT-027)
    async fn subscribe_signal_delivery(
        &self,
        cursor: stream_subscribe::StreamCursor,
        filter: &ScannerFilter,
    ) -> Result<SignalDeliverySubscription> {
        unavailable("subscribe_signal_delivery")
    }

    /// Tags of executions as they are set and removed, in every partition, from a cursor on; the empty
    /// one means from now. (EVT-002, EVT-003, EVT-005 to EVT-009, EVT-012, EVT-013, EVT-019 to EVT-021,
    /// EVT-023)
    async fn subscribe_instance_tags(
        &self,
        cursor: stream_subscribe::StreamCursor,
    ) -> Result<InstanceTagSubscription> {
        unavailable("subscribe_instance_tags")
    }

    /// Marks a lease that has run out as lapsed. (LSE-015, LSE-016, LSE-012)
    async fn mark_lease_expired_if_due(
        &self,
        partition: Partition,
        execution_id: &ExecutionId,
    ) -> Result<()> {
        unavailable("mark_lease_expired_if_due")
    }

    /// Makes a delayed execution claimable, if it is due. (SCH-015, SCH-016)
    async fn promote_delayed(
        &self,
        partition: Partition,
        lane: &LaneId,
        execution_id: &ExecutionId,
        now_ms: TimestampMs,
    ) -> Result<()> {
        unavailable("promote_delayed")
    }

    /// Closes a waitpoint that has expired. (WPT-016, WPT-017, WPT-033)
    async fn close_waitpoint(
        &self,
        partition: Partition,
        execution_id: &ExecutionId,
        waitpoint_id: &str,
        now_ms: TimestampMs,
    ) -> Result<()> {
        unavailable("close_waitpoint")
    }

    /// Ends an attempt or an execution that is out of time, or does nothing. (ATT-024 to ATT-028, ATT-037 to ATT-039)
    async fn expire_execution(
        &self,
        partition: Partition,
        execution_id: &ExecutionId,
        phase: ExpirePhase,
        now_ms: TimestampMs,
    ) -> Result<()> {
        unavailable("expire_execution")
    }

    /// Applies the timeout behaviour of a suspension that has timed out. (SUS-029, SUS-030, SUS-033 to
    /// SUS-036, SUS-044, SUS-049)
    async fn expire_suspension(
        &self,
        partition: Partition,
        execution_id: &ExecutionId,
        now_ms: TimestampMs,
    ) -> Result<()> {
        unavailable("expire_suspension")
    }

    /// Lifts an admission block that is there for this reason. (SCH-012 to SCH-014)
    async fn unblock_execution(
        &self,
        partition: Partition,
        lane_id: &LaneId,
        execution_id: &ExecutionId,
        expected_blocking_reason: &str,
        now_ms: TimestampMs,
    ) -> Result<()> {
        unavailable("unblock_execution")
    }

    /// Forgets which upstreams a decided group no longer needs, once they are cancelled. (DEP-029,
    /// DEP-031, FLW-007)
    async fn drain_sibling_cancel_group(
        &self,
        flow_partition: Partition,
        flow_id: &FlowId,
        downstream_eid: &ExecutionId,
    ) -> Result<()> {
        unavailable("drain_sibling_cancel_group")
    }

    /// As `drain_sibling_cancel_group`, if all of these upstreams have ended. (DEP-030, DEP-031,
    /// FLW-007)
    async fn reconcile_sibling_cancel_group(
        &self,
        flow_partition: Partition,
        flow_id: &FlowId,
        downstream_eid: &ExecutionId,
    ) -> Result<SiblingCancelReconcileAction> {
        unavailable("reconcile_sibling_cancel_group")
    }

    /// Puts executions of a partition back where the indexes should have them; how many were not there.
    /// (SCH-020 to SCH-023)
    async fn reconcile_execution_index(
        &self,
        partition: Partition,
        lanes: &[LaneId],
        filter: &ScannerFilter,
    ) -> Result<ReconcileCounts> {
        unavailable("reconcile_execution_index")
    }

    /// Removes what is over of a partition's budgets; counts those that had some. (BUD-025, BUD-026,
    /// BUD-048)
    async fn reconcile_budget_counters(
        &self,
        partition: Partition,
        now_ms: TimestampMs,
    ) -> Result<ReconcileCounts> {
        unavailable("reconcile_budget_counters")
    }

    /// Removes what is over of a partition's quota policies; counts those that had some. (BUD-048, QUO-016,
    /// QUO-017)
    async fn reconcile_quota_counters(
        &self,
        partition: Partition,
        now_ms: TimestampMs,
    ) -> Result<ReconcileCounts> {
        unavailable("reconcile_quota_counters")
    }

    /// Writes a summary of a flow's members, for whoever reads the storage: how many there are in
    /// each public state, and `running`, `blocked`, `open`, `failed` or `completed`, the first that
    /// applies. Whether there was anything to write. (FLW-007, FLW-031, FLW-033)
    async fn project_flow_summary(
        &self,
        partition: Partition,
        flow_id: &FlowId,
        now_ms: TimestampMs,
    ) -> Result<bool> {
        unavailable("project_flow_summary")
    }

    /// Removes terminal executions that ended 0 to 2^53 − 1 ms ago or longer; how many. (OPS-015, OPS-020 to OPS-027)
    async fn trim_retention(
        &self,
        partition: Partition,
        lane_id: &LaneId,
        retention_ms: u64,
        now_ms: TimestampMs,
        batch_size: u32,
        filter: &ScannerFilter,
    ) -> Result<u32> {
        unavailable("trim_retention")
    }

    /// Fields of an execution by name.
    async fn read_exec_core_fields(
        &self,
        partition: Partition,
        execution_id: &ExecutionId,
        fields: &[&str],
    ) -> Result<HashMap<String, Option<String>>> {
        unavailable("read_exec_core_fields")
    }

    /// The backend's clock, in Unix milliseconds. (SYS-006, SYS-046)
    async fn server_time_ms(&self) -> Result<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.map_err(|error| EngineError::transport("clock", error))?;
        Ok(u64::try_from(since.as_millis()).map_or(MAX_INTEGER, |now| now.min(MAX_INTEGER)))
    }

    /// The family's name: `valkey`, `postgres`, `sqlite`, `mock`, or one from outside. (SYS-003)
    fn backend_label(&self) -> &'static str {
        "unknown"
    }

    /// The backend itself, for callers that know its type.
    fn as_any(&self) -> &(dyn Any + 'static) {
        &()
    }

    /// What the backend promises to answer. (SYS-002, SYS-003)
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(
            BackendIdentity::new("unknown", Version::new(0, 0, 0), "unknown"),
            Supports::none(),
        )
    }
}

fn unavailable<T>(op: &'static str) -> Result<T> {
    Err(EngineError::Unavailable { op })
}
