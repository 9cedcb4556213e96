//! The table of the trait's methods. `Method`, `Call`, `Reply`, `Supports` and the way from calls
//! to the trait and back are all made from it.

/// Hands the table to the macro it names. A row reads: variant, method, arguments, what the method
/// returns on success. `#[read]` marks a method that only looks. `name: &Type` is an argument that the trait borrows, `name = Type` one that
/// it takes over, and `name [str]` a `&[&str]`. An attribute says how a value is serialised. The methods under `subscriptions`
/// return an endless stream of the named events.
macro_rules! with_methods {
    ($callback:ident) => {
        $callback! {
            calls {
            Claim = claim(lane: &LaneId, capabilities: &CapabilitySet, policy = ClaimPolicy)
                -> Option<Handle>;
            Renew = renew(handle: &Handle) -> LeaseRenewal;
            Progress = progress(
                handle: &Handle,
                percent = Option<u8>,
                message = Option<String>,
            ) -> ();
            AppendFrame = append_frame(handle: &Handle, frame = Frame) -> AppendFrameOutcome;
            Complete = complete(handle: &Handle, #[serde(default, with = "crate::octets::OptionalOctets")] payload = Option<Vec<u8>>)
                -> ();
            Fail = fail(
                handle: &Handle,
                reason = FailureReason,
                classification = FailureClass,
            ) -> FailOutcome;
            Cancel = cancel(handle: &Handle, reason: &str) -> ();
            Suspend = suspend(handle: &Handle, args = SuspendArgs) -> SuspendOutcome;
            SuspendByTriple = suspend_by_triple(
                exec_id = ExecutionId,
                triple = LeaseFence,
                args = SuspendArgs,
            ) -> SuspendOutcome;
            CreateWaitpoint = create_waitpoint(
                handle: &Handle,
                waitpoint_key: &str,
                expires_in = Duration,
            ) -> PendingWaitpoint;
            #[read] ReadWaitpointToken = read_waitpoint_token(
                partition = PartitionKey,
                waitpoint_id: &WaitpointId,
            ) -> #[debug(skip)] Option<String>;
            #[read] ObserveSignals = observe_signals(handle: &Handle) -> Vec<ResumeSignal>;
            ClaimFromResumeGrant = claim_from_resume_grant(token = ResumeToken)
                -> Option<Handle>;
            IssueReclaimGrant = issue_reclaim_grant(args = IssueReclaimGrantArgs)
                -> IssueReclaimGrantOutcome;
            ReclaimExecution = reclaim_execution(args = ReclaimExecutionArgs)
                -> ReclaimExecutionOutcome;
            Delay = delay(handle: &Handle, delay_until = TimestampMs) -> ();
            WaitChildren = wait_children(handle: &Handle) -> ();
            #[read] DescribeExecution = describe_execution(id: &ExecutionId) -> Option<ExecutionSnapshot>;
            #[read] ReadExecutionContext = read_execution_context(execution_id: &ExecutionId)
                -> ExecutionContext;
            #[read] ReadCurrentAttemptIndex = read_current_attempt_index(execution_id: &ExecutionId)
                -> AttemptIndex;
            #[read] ReadTotalAttemptCount = read_total_attempt_count(execution_id: &ExecutionId)
                -> AttemptIndex;
            #[read] DescribeFlow = describe_flow(id: &FlowId) -> Option<FlowSnapshot>;
            SetExecutionTag = set_execution_tag(execution_id: &ExecutionId, key: &str, value: &str)
                -> ();
            SetFlowTag = set_flow_tag(flow_id: &FlowId, key: &str, value: &str) -> ();
            #[read] GetExecutionTag = get_execution_tag(execution_id: &ExecutionId, key: &str)
                -> Option<String>;
            #[read] GetExecutionNamespace = get_execution_namespace(execution_id: &ExecutionId)
                -> Option<String>;
            #[read] GetFlowTag = get_flow_tag(flow_id: &FlowId, key: &str) -> Option<String>;
            #[read] ListEdges = list_edges(flow_id: &FlowId, direction = EdgeDirection)
                -> Vec<EdgeSnapshot>;
            #[read] DescribeEdge = describe_edge(flow_id: &FlowId, edge_id: &EdgeId)
                -> Option<EdgeSnapshot>;
            #[read] ResolveExecutionFlowId = resolve_execution_flow_id(execution_id: &ExecutionId)
                -> Option<FlowId>;
            #[read] ListFlows = list_flows(
                partition = PartitionKey,
                cursor = Option<FlowId>,
                limit = usize,
            ) -> ListFlowsPage;
            #[read] ListLanes = list_lanes(cursor = Option<LaneId>, limit = usize) -> ListLanesPage;
            #[read] ListSuspended = list_suspended(
                partition = PartitionKey,
                cursor = Option<ExecutionId>,
                limit = usize,
            ) -> ListSuspendedPage;
            #[read] ListExecutions = list_executions(
                partition = PartitionKey,
                cursor = Option<ExecutionId>,
                limit = usize,
            ) -> ListExecutionsPage;
            DeliverSignal = deliver_signal(args = DeliverSignalArgs) -> DeliverSignalResult;
            ClaimResumedExecution = claim_resumed_execution(args = ClaimResumedExecutionArgs)
                -> ClaimResumedExecutionResult;
            #[read] ScanEligibleExecutions = scan_eligible_executions(args = ScanEligibleArgs)
                -> Vec<ExecutionId>;
            IssueClaimGrant = issue_claim_grant(args = IssueClaimGrantArgs)
                -> IssueClaimGrantOutcome;
            BlockRoute = block_route(args = BlockRouteArgs) -> BlockRouteOutcome;
            ClaimExecution = claim_execution(args = ClaimExecutionArgs) -> ClaimExecutionResult;
            CancelFlow = cancel_flow(
                id: &FlowId,
                policy = CancelFlowPolicy,
                wait = CancelFlowWait,
            ) -> CancelFlowResult;
            SetEdgeGroupPolicy = set_edge_group_policy(
                flow_id: &FlowId,
                downstream_execution_id: &ExecutionId,
                policy = EdgeDependencyPolicy,
            ) -> SetEdgeGroupPolicyResult;
            RotateWaitpointHmacSecretAll = rotate_waitpoint_hmac_secret_all(
                args = RotateWaitpointHmacSecretAllArgs,
            ) -> RotateWaitpointHmacSecretAllResult;
            SeedWaitpointHmacSecret = seed_waitpoint_hmac_secret(
                args = SeedWaitpointHmacSecretArgs,
            ) -> SeedOutcome;
            ReportUsage = report_usage(
                handle: &Handle,
                budget: &BudgetId,
                dimensions = UsageDimensions,
            ) -> ReportUsageResult;
            #[read] ReadStream = read_stream(
                execution_id: &ExecutionId,
                attempt_index = AttemptIndex,
                from = StreamCursor,
                to = StreamCursor,
                count_limit = u64,
            ) -> StreamFrames;
            #[read] TailStream = tail_stream(
                execution_id: &ExecutionId,
                attempt_index = AttemptIndex,
                after = StreamCursor,
                block_ms = u64,
                count_limit = u64,
                visibility = TailVisibility,
            ) -> StreamFrames;
            #[read] ReadSummary = read_summary(execution_id: &ExecutionId, attempt_index = AttemptIndex)
                -> Option<SummaryDocument>;
            CreateExecution = create_execution(args = CreateExecutionArgs)
                -> CreateExecutionResult;
            CreateFlow = create_flow(args = CreateFlowArgs) -> CreateFlowResult;
            AddExecutionToFlow = add_execution_to_flow(args = AddExecutionToFlowArgs)
                -> AddExecutionToFlowResult;
            StageDependencyEdge = stage_dependency_edge(args = StageDependencyEdgeArgs)
                -> StageDependencyEdgeResult;
            ApplyDependencyToChild = apply_dependency_to_child(
                args = ApplyDependencyToChildArgs,
            ) -> ApplyDependencyToChildResult;
            ResolveDependency = resolve_dependency(args = ResolveDependencyArgs)
                -> ResolveDependencyOutcome;
            CascadeCompletion = cascade_completion(payload: &CompletionPayload) -> CascadeOutcome;
            CancelExecution = cancel_execution(args = CancelExecutionArgs)
                -> CancelExecutionResult;
            ChangePriority = change_priority(args = ChangePriorityArgs) -> ChangePriorityResult;
            ReplayExecution = replay_execution(args = ReplayExecutionArgs)
                -> ReplayExecutionResult;
            RevokeLease = revoke_lease(args = RevokeLeaseArgs) -> RevokeLeaseResult;
            CompleteExecution = complete_execution(args = CompleteExecutionArgs)
                -> CompleteExecutionResult;
            FailExecution = fail_execution(args = FailExecutionArgs) -> FailExecutionResult;
            RenewLease = renew_lease(args = RenewLeaseArgs) -> RenewLeaseResult;
            ResumeExecution = resume_execution(args = ResumeExecutionArgs)
                -> ResumeExecutionResult;
            CheckAdmission = check_admission(
                quota_policy_id: &QuotaPolicyId,
                dimension: &str,
                args = CheckAdmissionArgs,
            ) -> CheckAdmissionResult;
            BlockExecutionForAdmission = block_execution_for_admission(
                args = BlockExecutionForAdmissionArgs,
            ) -> BlockExecutionForAdmissionOutcome;
            #[read] ReadBudgetUsageAndLimits = read_budget_usage_and_limits(budget_id: &BudgetId)
                -> BudgetUsageAndLimits;
            #[read] ReadQuotaPolicyLimits = read_quota_policy_limits(quota_policy_id: &QuotaPolicyId)
                -> Option<QuotaPolicyLimits>;
            #[read] EvaluateFlowEligibility = evaluate_flow_eligibility(
                args = EvaluateFlowEligibilityArgs,
            ) -> EvaluateFlowEligibilityResult;
            RecordSpend = record_spend(args = RecordSpendArgs) -> ReportUsageResult;
            ReleaseBudget = release_budget(args = ReleaseBudgetArgs) -> ();
            ReleaseAdmission = release_admission(args = ReleaseAdmissionArgs)
                -> ReleaseAdmissionResult;
            DeliverApprovalSignal = deliver_approval_signal(args = DeliverApprovalSignalArgs)
                -> DeliverSignalResult;
            IssueGrantAndClaim = issue_grant_and_claim(args = IssueGrantAndClaimArgs)
                -> ClaimGrantOutcome;
            CreateBudget = create_budget(args = CreateBudgetArgs) -> CreateBudgetResult;
            ResetBudget = reset_budget(args = ResetBudgetArgs) -> ResetBudgetResult;
            CreateQuotaPolicy = create_quota_policy(args = CreateQuotaPolicyArgs)
                -> CreateQuotaPolicyResult;
            #[read] GetBudgetStatus = get_budget_status(id: &BudgetId) -> BudgetStatus;
            ReportUsageAdmin = report_usage_admin(
                budget: &BudgetId,
                args = ReportUsageAdminArgs,
            ) -> ReportUsageResult;
            #[read] GetExecutionResult = get_execution_result(id: &ExecutionId)
                -> #[serde(with = "crate::octets::OptionalOctets")] Option<Vec<u8>>;
            #[read] ListPendingWaitpoints = list_pending_waitpoints(args = ListPendingWaitpointsArgs)
                -> ListPendingWaitpointsResult;
            #[read] Ping = ping() -> ();
            RegisterWorker = register_worker(args = RegisterWorkerArgs)
                -> RegisterWorkerOutcome;
            HeartbeatWorker = heartbeat_worker(args = HeartbeatWorkerArgs)
                -> HeartbeatWorkerOutcome;
            MarkWorkerDead = mark_worker_dead(args = MarkWorkerDeadArgs)
                -> MarkWorkerDeadOutcome;
            #[read] ListExpiredLeases = list_expired_leases(args = ListExpiredLeasesArgs)
                -> ListExpiredLeasesResult;
            #[read] ListWorkers = list_workers(args = ListWorkersArgs) -> ListWorkersResult;
            ClaimForWorker = claim_for_worker(args = ClaimForWorkerArgs)
                -> ClaimForWorkerOutcome;
            Prepare = prepare() -> PrepareOutcome;
            ShutdownPrepare = shutdown_prepare(grace = Duration) -> ();
            CancelFlowHeader = cancel_flow_header(args = CancelFlowArgs) -> CancelFlowHeader;
            AckCancelMember = ack_cancel_member(flow_id: &FlowId, execution_id: &ExecutionId) -> ();
            #[read] ReadExecutionInfo = read_execution_info(id: &ExecutionId) -> Option<ExecutionInfo>;
            #[read] ReadExecutionState = read_execution_state(id: &ExecutionId) -> Option<PublicState>;
            MarkLeaseExpiredIfDue = mark_lease_expired_if_due(
                partition = Partition,
                execution_id: &ExecutionId,
            ) -> ();
            PromoteDelayed = promote_delayed(
                partition = Partition,
                lane: &LaneId,
                execution_id: &ExecutionId,
                now_ms = TimestampMs,
            ) -> ();
            CloseWaitpoint = close_waitpoint(
                partition = Partition,
                execution_id: &ExecutionId,
                waitpoint_id: &str,
                now_ms = TimestampMs,
            ) -> ();
            ExpireExecution = expire_execution(
                partition = Partition,
                execution_id: &ExecutionId,
                phase = ExpirePhase,
                now_ms = TimestampMs,
            ) -> ();
            ExpireSuspension = expire_suspension(
                partition = Partition,
                execution_id: &ExecutionId,
                now_ms = TimestampMs,
            ) -> ();
            UnblockExecution = unblock_execution(
                partition = Partition,
                lane_id: &LaneId,
                execution_id: &ExecutionId,
                expected_blocking_reason: &str,
                now_ms = TimestampMs,
            ) -> ();
            DrainSiblingCancelGroup = drain_sibling_cancel_group(
                flow_partition = Partition,
                flow_id: &FlowId,
                downstream_eid: &ExecutionId,
            ) -> ();
            ReconcileSiblingCancelGroup = reconcile_sibling_cancel_group(
                flow_partition = Partition,
                flow_id: &FlowId,
                downstream_eid: &ExecutionId,
            ) -> SiblingCancelReconcileAction;
            ReconcileExecutionIndex = reconcile_execution_index(
                partition = Partition,
                lanes: &[LaneId],
                filter: &ScannerFilter,
            ) -> ReconcileCounts;
            ReconcileBudgetCounters = reconcile_budget_counters(
                partition = Partition,
                now_ms = TimestampMs,
            ) -> ReconcileCounts;
            ReconcileQuotaCounters = reconcile_quota_counters(
                partition = Partition,
                now_ms = TimestampMs,
            ) -> ReconcileCounts;
            ProjectFlowSummary = project_flow_summary(
                partition = Partition,
                flow_id: &FlowId,
                now_ms = TimestampMs,
            ) -> bool;
            TrimRetention = trim_retention(
                partition = Partition,
                lane_id: &LaneId,
                retention_ms = u64,
                now_ms = TimestampMs,
                batch_size = u32,
                filter: &ScannerFilter,
            ) -> u32;
            #[read] ReadExecCoreFields = read_exec_core_fields(
                partition = Partition,
                execution_id: &ExecutionId,
                fields [str],
            ) -> HashMap<String, Option<String>>;
            #[read] ServerTimeMs = server_time_ms() -> u64;
            }
            subscriptions {
            SubscribeLeaseHistory = subscribe_lease_history(
                cursor = stream_subscribe::StreamCursor,
                filter: &ScannerFilter,
            ) -> LeaseHistoryEvent;
            SubscribeCompletion = subscribe_completion(
                cursor = stream_subscribe::StreamCursor,
                filter: &ScannerFilter,
            ) -> CompletionEvent;
            SubscribeSignalDelivery = subscribe_signal_delivery(
                cursor = stream_subscribe::StreamCursor,
                filter: &ScannerFilter,
            ) -> SignalDeliveryEvent;
            SubscribeInstanceTags = subscribe_instance_tags(
                cursor = stream_subscribe::StreamCursor,
            ) -> InstanceTagEvent;
            }
        }
    };
}

pub(crate) use with_methods;

/// Every type that the table names.
pub(crate) mod prelude {
    pub(crate) use std::collections::HashMap;
    pub(crate) use std::time::Duration;

    pub(crate) use crate::backend::{
        AppendFrameOutcome, CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy,
        CompletionPayload, FailOutcome, FailureClass, FailureReason, Frame, Handle, LeaseRenewal,
        PendingWaitpoint, PrepareOutcome, ResumeSignal, ResumeToken, ScannerFilter,
        SummaryDocument, SuspendArgs, SuspendOutcome, TailVisibility, UsageDimensions,
    };
    pub(crate) use crate::contracts::{
        AddExecutionToFlowArgs, AddExecutionToFlowResult, ApplyDependencyToChildArgs,
        ApplyDependencyToChildResult, BlockExecutionForAdmissionArgs,
        BlockExecutionForAdmissionOutcome, BlockRouteArgs, BlockRouteOutcome, BudgetStatus,
        BudgetUsageAndLimits, CancelExecutionArgs, CancelExecutionResult, CancelFlowArgs,
        CancelFlowHeader, CancelFlowResult, CascadeOutcome, ChangePriorityArgs,
        ChangePriorityResult, CheckAdmissionArgs, CheckAdmissionResult, ClaimExecutionArgs,
        ClaimExecutionResult, ClaimForWorkerArgs, ClaimForWorkerOutcome, ClaimGrantOutcome,
        ClaimResumedExecutionArgs, ClaimResumedExecutionResult, CompleteExecutionArgs,
        CompleteExecutionResult, CreateBudgetArgs, CreateBudgetResult, CreateExecutionArgs,
        CreateExecutionResult, CreateFlowArgs, CreateFlowResult, CreateQuotaPolicyArgs,
        CreateQuotaPolicyResult, DeliverApprovalSignalArgs, DeliverSignalArgs, DeliverSignalResult,
        EdgeDependencyPolicy, EdgeDirection, EdgeSnapshot, EvaluateFlowEligibilityArgs,
        EvaluateFlowEligibilityResult, ExecutionContext, ExecutionInfo, ExecutionSnapshot,
        FailExecutionArgs, FailExecutionResult, FlowSnapshot, HeartbeatWorkerArgs,
        HeartbeatWorkerOutcome, IssueClaimGrantArgs, IssueClaimGrantOutcome,
        IssueGrantAndClaimArgs, IssueReclaimGrantArgs, IssueReclaimGrantOutcome,
        ListExecutionsPage, ListExpiredLeasesArgs, ListExpiredLeasesResult, ListFlowsPage,
        ListLanesPage, ListPendingWaitpointsArgs, ListPendingWaitpointsResult, ListSuspendedPage,
        ListWorkersArgs, ListWorkersResult, MarkWorkerDeadArgs, MarkWorkerDeadOutcome,
        QuotaPolicyLimits, ReclaimExecutionArgs, ReclaimExecutionOutcome, RecordSpendArgs,
        RegisterWorkerArgs, RegisterWorkerOutcome, ReleaseAdmissionArgs, ReleaseAdmissionResult,
        ReleaseBudgetArgs, RenewLeaseArgs, RenewLeaseResult, ReplayExecutionArgs,
        ReplayExecutionResult, ReportUsageAdminArgs, ReportUsageResult, ResetBudgetArgs,
        ResetBudgetResult, ResolveDependencyArgs, ResolveDependencyOutcome, ResumeExecutionArgs,
        ResumeExecutionResult, RevokeLeaseArgs, RevokeLeaseResult,
        RotateWaitpointHmacSecretAllArgs, RotateWaitpointHmacSecretAllResult, ScanEligibleArgs,
        SeedOutcome, SeedWaitpointHmacSecretArgs, SetEdgeGroupPolicyResult,
        StageDependencyEdgeArgs, StageDependencyEdgeResult, StreamCursor, StreamFrames,
    };
    pub(crate) use crate::engine_backend::{
        ExpirePhase, ReconcileCounts, SiblingCancelReconcileAction,
    };
    pub(crate) use crate::partition::{Partition, PartitionKey};
    pub(crate) use crate::state::PublicState;
    pub(crate) use crate::stream_events::{
        CompletionEvent, InstanceTagEvent, LeaseHistoryEvent, SignalDeliveryEvent,
    };
    pub(crate) use crate::stream_subscribe;
    pub(crate) use crate::types::{
        AttemptIndex, BudgetId, EdgeId, ExecutionId, FlowId, LaneId, LeaseFence, QuotaPolicyId,
        TimestampMs, WaitpointId,
    };
}
