//! Adding dependencies.

use std::collections::{BTreeSet, VecDeque};

use ff_core::contracts::{StageDependencyEdgeArgs, StageDependencyEdgeResult};
use ff_core::engine_error::{ConflictKind, ContentionKind, EngineError, StateKind};
use ff_core::types::ExecutionId;

use super::{grow, open_flow, snapshot};
use crate::engine::Rule;
use crate::records::{Edge, EdgeGroup, EdgeState, Execution};
use crate::session::Session;
use crate::store::{StoreError, Tx};

/// Members that a search for cycles visits at most (GRA-026).
const MAX_VISITED: usize = 1_000;

/// Edges that a search for cycles looks at (GRA-024), and that leave or enter a member (GRA-023), at most.
const MAX_EDGES: usize = 10_000;

/// Members whose edges a search asks for in one message.
const ASKED: usize = 16;

/// Adds a dependency by compare-and-swap on the revision (GRA-002), in the order of GRA-025.
pub(crate) async fn stage_edge<T: Tx>(
    tx: &mut Session<T>,
    args: &StageDependencyEdgeArgs,
) -> Rule<StageDependencyEdgeResult> {
    let mut flow = open_flow(tx, &args.flow_id).await?;
    if args.expected_graph_revision != flow.graph_revision {
        return Err(EngineError::Contention(ContentionKind::StaleGraphRevision).into());
    }
    let ends = [&args.upstream_execution_id, &args.downstream_execution_id];
    let ends = tx.get(ends.map(Execution::at).to_vec()).await?;
    for member in ends {
        if member.is_none_or(|member| member.flow != Some(flow.id)) {
            return Err(EngineError::State(StateKind::ExecutionNotInFlow).into());
        }
    }
    let has_many = flow.edge_count as usize >= MAX_EDGES;
    if closes_cycle(tx, args, has_many).await? {
        return Err(EngineError::Conflict(ConflictKind::CycleDetected).into());
    }
    if let Some(edge) = tx.get(Edge::at(&flow.id, &args.edge_id)).await? {
        let existing = snapshot(&edge);
        return Err(
            EngineError::Conflict(ConflictKind::DependencyAlreadyExists { existing }).into()
        );
    }
    if has_many && is_full(tx, args).await? {
        return Err(EngineError::invalid_input(format!(
            "{MAX_EDGES} edges leave the upstream or enter the downstream already"
        ))
        .into());
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
    tx.put(&edge);
    if tx.get(EdgeGroup::at(&flow.id, &edge.downstream)).await?.is_none() {
        let group = EdgeGroup::new(flow.id, edge.downstream.clone());
        tx.put(&group);
    }
    flow.edge_count += 1;
    grow(tx, &mut flow, now);
    Ok(StageDependencyEdgeResult::Staged {
        edge_id: edge.id,
        new_graph_revision: flow.graph_revision,
    })
}

/// Whether the upstream can be reached from the downstream already; a search that grows too large
/// counts as a yes (GRA-006, GRA-026). In a flow that has many edges, no two members' are asked for together, as
/// that could be twice what a search may look at.
async fn closes_cycle<T: Tx>(
    tx: &mut Session<T>,
    args: &StageDependencyEdgeArgs,
    has_many: bool,
) -> Result<bool, StoreError> {
    let start = args.downstream_execution_id.clone();
    let mut visited: BTreeSet<ExecutionId> = BTreeSet::from([start.clone()]);
    let mut frontier = VecDeque::from([start]);
    let mut looked_at = 0;
    while !frontier.is_empty() {
        let together = if has_many { 1 } else { ASKED };
        let members = frontier.drain(..together.min(frontier.len()));
        let leaving = members.map(|member| {
            let leaving = Edge::OUT.of(&args.flow_id).and(&member);
            leaving.limit(MAX_EDGES + 1 - looked_at)
        });
        for edge in tx.get(leaving.collect::<Vec<_>>()).await?.into_iter().flatten() {
            looked_at += 1;
            if looked_at > MAX_EDGES || edge.downstream == args.upstream_execution_id {
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

/// Whether as many edges as there may be leave the upstream or enter the downstream (GRA-023).
async fn is_full<T: Tx>(
    tx: &mut Session<T>,
    args: &StageDependencyEdgeArgs,
) -> Result<bool, StoreError> {
    let (flow, upstream) = (&args.flow_id, &args.upstream_execution_id);
    let leaving = tx.count(Edge::OUT.of(flow).and(upstream).limit(MAX_EDGES));
    if leaving.await? >= MAX_EDGES {
        return Ok(true);
    }
    let entering = Edge::IN.of(flow).and(&args.downstream_execution_id);
    let entering = tx.count(entering.limit(MAX_EDGES)).await?;
    Ok(entering >= MAX_EDGES)
}

/// An empty reference counts as none (GRA-027).
pub(super) fn reference(given: Option<&String>) -> Option<String> {
    given.filter(|text| !text.is_empty()).cloned()
}
