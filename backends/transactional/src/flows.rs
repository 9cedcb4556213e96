//! The chapter of flows: members, dependencies, cancellation.

use std::collections::{BTreeSet, VecDeque};

use ff_core::backend::CancelFlowPolicy;
use ff_core::contracts::{
    AddExecutionToFlowArgs, AddExecutionToFlowResult, ApplyDependencyToChildArgs,
    ApplyDependencyToChildResult, CancelFlowResult, CreateFlowArgs, CreateFlowResult, EdgeSnapshot,
    StageDependencyEdgeArgs, StageDependencyEdgeResult,
};
use ff_core::engine_error::{ConflictKind, ContentionKind, EngineError, StateKind, ValidationKind};
use ff_core::state::{AttemptLifecycle, LifecyclePhase, OwnershipState, TerminalOutcome};
use ff_core::types::{ExecutionId, FlowId, TimestampMs};

use crate::engine::Rule;
use crate::executions::{end, end_attempt, existing};
use crate::record::{Edge, EdgeState, Execution, Flow, LeaseEventKind, LeaseRecord};
use crate::store::{StoreError, Tx};

/// Members that a search for cycles visits at most (GRA-006).
const MAX_VISITED: usize = 1_000;

/// Creates a flow, or recognises one (FLW-010).
pub(crate) async fn create<T: Tx>(tx: &mut T, args: &CreateFlowArgs) -> Rule<CreateFlowResult> {
    let flow_id = args.flow_id;
    if tx.flow(&flow_id).await?.is_some() {
        return Ok(CreateFlowResult::AlreadySatisfied { flow_id });
    }
    let now = tx.now().await?;
    let flow = Flow {
        id: flow_id,
        kind: args.flow_kind.clone(),
        namespace: args.namespace.clone(),
        public_flow_state: Flow::OPEN.to_owned(),
        graph_revision: 0,
        node_count: 0,
        edge_count: 0,
        created_at: now,
        last_mutation_at: now,
        cancelled_at: None,
        cancellation_policy: None,
    };
    tx.put_flow(&flow).await?;
    Ok(CreateFlowResult::Created { flow_id })
}

/// Makes an execution a member (FLW-021 to FLW-024).
pub(crate) async fn add_execution<T: Tx>(
    tx: &mut T,
    args: &AddExecutionToFlowArgs,
) -> Rule<AddExecutionToFlowResult> {
    let mut flow = open_flow(tx, &args.flow_id).await?;
    let mut execution = existing(tx, &args.execution_id).await?;
    let execution_id = execution.id.clone();
    if execution.flow == Some(flow.id) {
        return Ok(AddExecutionToFlowResult::AlreadyMember {
            execution_id,
            node_count: flow.node_count,
        });
    }
    if execution.flow.is_some() {
        return Err(EngineError::Conflict(ConflictKind::ExecutionAlreadyInFlow).into());
    }
    let now = tx.now().await?;
    execution.flow = Some(flow.id);
    execution.touch(now);
    tx.update_execution(&execution).await?;
    flow.node_count += 1;
    grow(tx, &mut flow, now).await?;
    Ok(AddExecutionToFlowResult::Added {
        execution_id,
        new_node_count: flow.node_count,
    })
}

/// Adds a dependency by compare-and-swap on the revision (GRA-002), in the order of GRA-005.
pub(crate) async fn stage_edge<T: Tx>(
    tx: &mut T,
    args: &StageDependencyEdgeArgs,
) -> Rule<StageDependencyEdgeResult> {
    let mut flow = open_flow(tx, &args.flow_id).await?;
    if args.expected_graph_revision != flow.graph_revision {
        return Err(EngineError::Contention(ContentionKind::StaleGraphRevision).into());
    }
    for end in [&args.upstream_execution_id, &args.downstream_execution_id] {
        let member = tx.execution(end).await?;
        if member.is_none_or(|member| member.flow != Some(flow.id)) {
            return Err(EngineError::State(StateKind::ExecutionNotInFlow).into());
        }
    }
    if closes_cycle(tx, args).await? {
        return Err(EngineError::Conflict(ConflictKind::CycleDetected).into());
    }
    if let Some(edge) = tx.edge(&flow.id, &args.edge_id).await? {
        let existing = snapshot(&edge);
        return Err(
            EngineError::Conflict(ConflictKind::DependencyAlreadyExists { existing }).into(),
        );
    }
    let now = tx.now().await?;
    let edge = Edge {
        flow: flow.id,
        id: args.edge_id,
        upstream: args.upstream_execution_id.clone(),
        downstream: args.downstream_execution_id.clone(),
        dependency_kind: args.dependency_kind.clone(),
        data_passing_ref: reference(args.data_passing_ref.as_ref()),
        state: EdgeState::Staged,
        created_at: now,
    };
    tx.put_edge(&edge).await?;
    flow.edge_count += 1;
    grow(tx, &mut flow, now).await?;
    Ok(StageDependencyEdgeResult::Staged {
        edge_id: edge.id,
        new_graph_revision: flow.graph_revision,
    })
}

/// Lets a staged dependency take effect (GRA-010 to GRA-014).
pub(crate) async fn apply_dependency<T: Tx>(
    tx: &mut T,
    args: &ApplyDependencyToChildArgs,
) -> Rule<ApplyDependencyToChildResult> {
    let flow = known_flow(tx, &args.flow_id).await?;
    let mut edge = match tx.edge(&flow.id, &args.edge_id).await? {
        Some(edge) if is_staged_as(&edge, args) => edge,
        _ => {
            return Err(EngineError::validation(
                ValidationKind::InvalidDependency,
                format!("edge {} is not staged like that", args.edge_id),
            )
            .into());
        }
    };
    if edge.state != EdgeState::Staged {
        return Ok(ApplyDependencyToChildResult::AlreadyApplied);
    }
    refuse_closed(&flow)?;
    let mut child = existing(tx, &edge.downstream).await?;
    edge.state = EdgeState::Unsatisfied;
    tx.put_edge(&edge).await?;
    let unsatisfied = tx
        .edges_to(&flow.id, &child.id)
        .await?
        .iter()
        .filter(|edge| edge.state == EdgeState::Unsatisfied)
        .count();
    if child.phase == LifecyclePhase::Runnable {
        let now = tx.now().await?;
        child.block_by_dependencies(now);
        tx.update_execution(&child).await?;
    }
    Ok(ApplyDependencyToChildResult::Applied {
        unsatisfied_count: u32::try_from(unsatisfied).unwrap_or(u32::MAX),
    })
}

/// Closes the flow and ends the members that the policy selects, in one step (CAN-003 to CAN-012).
/// Nothing is left to wait for when it returns.
pub(crate) async fn cancel<T: Tx>(
    tx: &mut T,
    id: &FlowId,
    policy: CancelFlowPolicy,
) -> Rule<CancelFlowResult> {
    let mut flow = known_flow(tx, id).await?;
    let members = tx.members(id).await?;
    if flow.is_open() {
        let now = tx.now().await?;
        let name: &'static str = policy.into();
        Flow::CANCELLED.clone_into(&mut flow.public_flow_state);
        flow.cancelled_at = Some(now);
        flow.cancellation_policy = Some(name.to_owned());
        flow.last_mutation_at = flow.last_mutation_at.max(now);
        tx.put_flow(&flow).await?;
        for member in &members {
            let mut execution = existing(tx, member).await?;
            if selects(policy, &execution) {
                cancel_member(tx, &mut execution, now).await?;
            }
        }
    }
    Ok(CancelFlowResult::Cancelled {
        cancellation_policy: flow.cancellation_policy.unwrap_or_default(),
        member_execution_ids: members.iter().map(ToString::to_string).collect(),
    })
}

fn selects(policy: CancelFlowPolicy, member: &Execution) -> bool {
    match policy {
        CancelFlowPolicy::CancelAll => !member.is_terminal(),
        CancelFlowPolicy::CancelPending => {
            member.phase == LifecyclePhase::Runnable && member.ownership == OwnershipState::Unowned
        }
        _ => false,
    }
}

/// Ends a member, whoever holds it; each tells both outboxes, leased or not.
async fn cancel_member<T: Tx>(tx: &mut T, member: &mut Execution, now: TimestampMs) -> Rule<()> {
    let lease = member.lease.take();
    let event = LeaseRecord {
        execution: member.id.clone(),
        namespace: member.namespace.clone(),
        kind: LeaseEventKind::Revoked,
        lease: lease.as_ref().map(|lease| lease.id),
        worker_instance: lease.map(|lease| lease.worker_instance),
        revoked_by: Some("operator"),
        at: now,
    };
    tx.append_lease_event(&event).await?;
    if member.phase == LifecyclePhase::Active {
        end_attempt(tx, member, AttemptLifecycle::EndedCancelled, now).await?;
    }
    member.closing = None;
    member.cancellation_reason = Some("flow_cancelled".to_owned());
    member.cancelled_by = Some("cancel_flow".to_owned());
    end(tx, member, TerminalOutcome::Cancelled, now).await
}

async fn known_flow<T: Tx>(tx: &mut T, id: &FlowId) -> Rule<Flow> {
    let found = tx.flow(id).await?;
    Ok(found.ok_or(EngineError::NotFound { entity: "flow" })?)
}

async fn open_flow<T: Tx>(tx: &mut T, id: &FlowId) -> Rule<Flow> {
    let flow = known_flow(tx, id).await?;
    refuse_closed(&flow)?;
    Ok(flow)
}

fn refuse_closed(flow: &Flow) -> Rule<()> {
    if flow.is_open() {
        return Ok(());
    }
    Err(EngineError::State(StateKind::FlowAlreadyTerminal).into())
}

/// The graph has grown by a member or an edge (GRA-001).
async fn grow<T: Tx>(tx: &mut T, flow: &mut Flow, now: TimestampMs) -> Result<(), StoreError> {
    flow.graph_revision += 1;
    flow.last_mutation_at = flow.last_mutation_at.max(now);
    tx.put_flow(flow).await
}

/// Whether the upstream can be reached from the downstream already; a search that grows too large
/// counts as a yes (GRA-006).
async fn closes_cycle<T: Tx>(
    tx: &mut T,
    args: &StageDependencyEdgeArgs,
) -> Result<bool, StoreError> {
    let start = args.downstream_execution_id.clone();
    let mut visited: BTreeSet<ExecutionId> = BTreeSet::from([start.clone()]);
    let mut frontier = VecDeque::from([start]);
    while let Some(member) = frontier.pop_front() {
        for edge in tx.edges_from(&args.flow_id, &member).await? {
            if edge.downstream == args.upstream_execution_id {
                return Ok(true);
            }
            if visited.insert(edge.downstream.clone()) {
                if visited.len() > MAX_VISITED {
                    return Ok(true);
                }
                frontier.push_back(edge.downstream);
            }
        }
    }
    Ok(false)
}

fn is_staged_as(edge: &Edge, args: &ApplyDependencyToChildArgs) -> bool {
    edge.upstream == args.upstream_execution_id
        && edge.downstream == args.downstream_execution_id
        && edge.dependency_kind == args.dependency_kind
        && edge.data_passing_ref == reference(args.data_passing_ref.as_ref())
}

/// An empty reference counts as none (GRA-008).
fn reference(given: Option<&String>) -> Option<String> {
    given.filter(|text| !text.is_empty()).cloned()
}

fn snapshot(edge: &Edge) -> EdgeSnapshot {
    let state = if edge.state == EdgeState::Staged {
        "pending"
    } else {
        "applied"
    };
    EdgeSnapshot::new(
        edge.id,
        edge.flow,
        edge.upstream.clone(),
        edge.downstream.clone(),
        edge.dependency_kind.clone(),
        "all_required".to_owned(),
        edge.data_passing_ref.clone(),
        state.to_owned(),
        edge.created_at,
        "engine".to_owned(),
    )
}
