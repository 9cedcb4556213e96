//! A flow for cases: members that can be claimed by name, dependencies that take effect at once.

use ff_core::backend::{CompletionPayload, FailureClass, Handle};
use ff_core::contracts::{
    ApplyDependencyToChildResult, CascadeOutcome, EdgeDependencyPolicy, EdgeGroupSnapshot,
    EdgeGroupState, ResolveDependencyArgs, ResolveDependencyOutcome, StageDependencyEdgeArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, flow_partition};
use ff_core::state::TerminalOutcome;
use ff_core::types::{AttemptIndex, ExecutionId, FlowId, LaneId};

use super::builders::{ExecutionBuilder, Worker};
use super::callers_now::CALLERS_NOW;
use super::failure::Failure;
use super::world::{World, apply_args};

/// A flow that nobody else changes.
pub(crate) struct Graph {
    pub(crate) world: World,
    pub(crate) flow: FlowId,
    revision: u64,
}

impl Graph {
    pub(crate) async fn new(world: &World) -> Result<Self, Failure> {
        Ok(Self { flow: world.flow().await?, world: world.clone(), revision: 0 })
    }

    /// A member and this many others that it depends on.
    pub(crate) async fn fan_in(
        world: &World,
        upstreams: usize,
        policy: EdgeDependencyPolicy,
    ) -> Result<FanIn, Failure> {
        let mut graph = Self::new(world).await?;
        let downstream = graph.member().await?;
        graph.policy(&downstream, policy).await.map_err(Failure::setup_refused)?;
        let mut edges = Vec::new();
        for _ in 0..upstreams {
            let upstream = graph.member().await?;
            let edge = graph.depend(&upstream, &downstream).await;
            edges.push(edge.map_err(Failure::in_setup)?);
        }
        Ok(FanIn { graph, downstream, edges })
    }

    /// Begins an execution that can join, alone on a lane.
    pub(crate) fn execution(&self) -> ExecutionBuilder {
        let builder = self.world.execution_for(&self.flow);
        let lane = lane_of(&builder.args().execution_id);
        builder.lane(lane.as_str())
    }

    /// A new member.
    pub(crate) async fn member(&mut self) -> Result<ExecutionId, Failure> {
        let builder = self.execution();
        self.add(builder).await
    }

    /// A new member with something special about it.
    pub(crate) async fn add(&mut self, builder: ExecutionBuilder) -> Result<ExecutionId, Failure> {
        let id = builder.create().await?;
        self.world.join(&self.flow, &id).await.map_err(Failure::setup_refused)?;
        self.revision += 1;
        Ok(id)
    }

    pub(crate) async fn policy(
        &self,
        member: &ExecutionId,
        policy: EdgeDependencyPolicy,
    ) -> Result<(), EngineError> {
        let set = self.world.set_edge_group_policy(&self.flow, member, policy);
        set.await.map(|_| ())
    }

    /// Stages a dependency; what it was staged with.
    pub(crate) async fn stage(
        &mut self,
        upstream: &ExecutionId,
        downstream: &ExecutionId,
    ) -> Result<StageDependencyEdgeArgs, Failure> {
        self.stage_with(upstream, downstream, None).await
    }

    /// Stages a dependency that passes data if it has a reference.
    pub(crate) async fn stage_with(
        &mut self,
        upstream: &ExecutionId,
        downstream: &ExecutionId,
        reference: Option<&str>,
    ) -> Result<StageDependencyEdgeArgs, Failure> {
        let world = &self.world;
        let mut args = world.edge_args(&self.flow, upstream, downstream, self.revision);
        args.data_passing_ref = reference.map(str::to_owned);
        self.world.stage_dependency_edge(args.clone()).await?;
        self.revision += 1;
        Ok(args)
    }

    pub(crate) async fn apply(
        &self,
        edge: &StageDependencyEdgeArgs,
    ) -> Result<ApplyDependencyToChildResult, EngineError> {
        self.world.apply_dependency_to_child(apply_args(edge)).await
    }

    /// Stages and applies a dependency.
    pub(crate) async fn depend(
        &mut self,
        upstream: &ExecutionId,
        downstream: &ExecutionId,
    ) -> Result<StageDependencyEdgeArgs, Failure> {
        let edge = self.stage(upstream, downstream).await?;
        self.apply(&edge).await?;
        Ok(edge)
    }

    /// Stages and applies a dependency that passes the upstream's result on.
    pub(crate) async fn feed(
        &mut self,
        upstream: &ExecutionId,
        downstream: &ExecutionId,
    ) -> Result<StageDependencyEdgeArgs, Failure> {
        let edge = self.stage_with(upstream, downstream, Some("result")).await?;
        self.apply(&edge).await?;
        Ok(edge)
    }

    /// A worker for this member.
    pub(crate) fn worker(&self, member: &ExecutionId) -> Worker {
        self.world.worker().lane(lane_of(member).as_str())
    }

    pub(crate) async fn claim(&self, member: &ExecutionId) -> Result<Handle, Failure> {
        self.worker(member).claim().await
    }

    /// Claims a member and ends it; only what a worker can bring about.
    pub(crate) async fn end(
        &self,
        member: &ExecutionId,
        outcome: TerminalOutcome,
    ) -> Result<(), Failure> {
        let handle = self.claim(member).await?;
        self.end_under(&handle, outcome).await
    }

    /// Ends a member under the lease that holds it.
    pub(crate) async fn end_under(
        &self,
        handle: &Handle,
        outcome: TerminalOutcome,
    ) -> Result<(), Failure> {
        match outcome {
            TerminalOutcome::Success => self.world.complete(handle, None).await?,
            TerminalOutcome::Failed => {
                let class = FailureClass::Permanent;
                self.world.fail_with(handle, class).await?;
            }
            _ => self.world.cancel(handle, "not needed").await?,
        }
        Ok(())
    }

    /// Ends a member, and lets those that depend on it know.
    pub(crate) async fn end_and_cascade(
        &self,
        member: &ExecutionId,
        outcome: TerminalOutcome,
    ) -> Result<CascadeOutcome, Failure> {
        self.end(member, outcome).await?;
        Ok(self.cascade(member).await?)
    }

    /// What a member's end amounts to, as dependents learn of it. Its outcome is not the member's.
    pub(crate) fn completion(&self, member: &ExecutionId) -> CompletionPayload {
        CompletionPayload::new(member.clone(), "success", None, CALLERS_NOW).with_flow_id(self.flow)
    }

    pub(crate) async fn cascade(
        &self,
        member: &ExecutionId,
    ) -> Result<CascadeOutcome, EngineError> {
        let completion = self.completion(member);
        self.world.cascade_completion(&completion).await
    }

    /// The resolution of an edge by this outcome.
    pub(crate) fn resolution(
        &self,
        edge: &StageDependencyEdgeArgs,
        outcome: &str,
    ) -> ResolveDependencyArgs {
        ResolveDependencyArgs::new(
            self.partition(),
            self.flow,
            edge.downstream_execution_id.clone(),
            edge.upstream_execution_id.clone(),
            edge.edge_id,
            self.world.lane_of(&edge.downstream_execution_id),
            AttemptIndex::new(0),
            outcome.to_owned(),
            CALLERS_NOW,
        )
    }

    pub(crate) async fn resolve(
        &self,
        edge: &StageDependencyEdgeArgs,
        outcome: &str,
    ) -> Result<ResolveDependencyOutcome, EngineError> {
        let resolution = self.resolution(edge, outcome);
        self.world.resolve_dependency(resolution).await
    }

    pub(crate) fn partition(&self) -> Partition {
        flow_partition(&self.flow, &self.world.partitions())
    }

    /// The group of a member that has one.
    pub(crate) async fn group(&self, member: &ExecutionId) -> Result<EdgeGroupSnapshot, Failure> {
        let flow = self.world.described_flow(&self.flow).await?;
        let mut groups = flow.edge_groups.into_iter();
        let found = groups.find(|group| group.downstream_execution_id == *member);
        found.ok_or_else(|| Failure::new(format!("{member} has a group")))
    }

    /// Asserts that a member is where this leaves it: phase, eligibility and public state.
    pub(crate) async fn expect_state(
        &self,
        member: &ExecutionId,
        [phase, eligibility, public]: [&str; 3],
    ) -> Result<(), Failure> {
        let expected = [
            ("lifecycle_phase", phase),
            ("eligibility_state", eligibility),
            ("public_state", public),
        ];
        self.world.expect_fields(member, expected).await
    }
}

/// Where a member is that waits for its dependencies.
pub(crate) const BLOCKED: [&str; 3] = ["runnable", "blocked_by_dependencies", "waiting_children"];

/// Where a member is that can be claimed.
pub(crate) const READY: [&str; 3] = ["runnable", "eligible_now", "waiting"];

/// Where a member is that cannot run any more.
pub(crate) const SKIPPED: [&str; 3] = ["terminal", "not_applicable", "skipped"];

/// A member, and the edges that enter it.
pub(crate) struct FanIn {
    pub(crate) graph: Graph,
    pub(crate) downstream: ExecutionId,
    pub(crate) edges: Vec<StageDependencyEdgeArgs>,
}

impl FanIn {
    pub(crate) fn upstream(&self, at: usize) -> &ExecutionId {
        &self.edges[at].upstream_execution_id
    }

    pub(crate) async fn resolve(
        &self,
        at: usize,
        outcome: &str,
    ) -> Result<ResolveDependencyOutcome, EngineError> {
        self.graph.resolve(&self.edges[at], outcome).await
    }

    /// Asserts these counts, satisfied, failed, skipped and running, and this state.
    pub(crate) async fn expect_group(
        &self,
        [satisfied, failed, skipped, running]: [u32; 4],
        state: EdgeGroupState,
        why: &str,
    ) -> Result<(), Failure> {
        let seen = self.graph.group(&self.downstream).await?;
        let total = satisfied + failed + skipped + running;
        let expected = EdgeGroupSnapshot::new(
            self.downstream.clone(),
            seen.policy,
            total,
            satisfied,
            failed,
            skipped,
            running,
            state,
        );
        expect_eq!(seen, expected, "{why}");
        Ok(())
    }

    pub(crate) async fn expect_state(&self, state: [&str; 3]) -> Result<(), Failure> {
        self.graph.expect_state(&self.downstream, state).await
    }
}

pub(crate) fn lane_of(member: &ExecutionId) -> LaneId {
    LaneId::new(member.uuid().to_string())
}
