//! Builders for suspensions and signals.

use ff_core::backend::{
    CompositeBody, Handle, ResumeCondition, SignalMatcher, SuspendArgs, SuspendOutcome,
    SuspendOutcomeDetails, SuspensionReasonCode, WaitpointBinding,
};
use ff_core::contracts::{
    CountKind, DeliverApprovalSignalArgs, DeliverSignalArgs, DeliverSignalResult,
    ListPendingWaitpointsArgs, PendingWaitpointInfo, ResumeExecutionArgs, ResumeExecutionResult,
    SeedWaitpointHmacSecretArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{
    ExecutionId, LaneId, LeaseEpoch, LeaseFence, SignalId, SuspensionId, WaitpointId,
    WaitpointToken,
};

use super::callers_now::CALLERS_NOW;
use super::failure::Failure;
use super::world::World;

/// The first secret of a deployment.
pub(crate) const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Where signals for an execution go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub execution: ExecutionId,
    pub waitpoint: WaitpointId,
    pub token: WaitpointToken,
}

/// An execution that is suspended.
pub(crate) struct Suspended {
    pub id: ExecutionId,
    /// The handle under which it was suspended.
    pub handle: Handle,
    /// The one that took its place.
    pub instead: Handle,
    pub details: SuspendOutcomeDetails,
}

impl Suspended {
    /// The first waitpoint.
    pub(crate) fn target(&self) -> Target {
        Target {
            execution: self.id.clone(),
            waitpoint: self.details.waitpoint_id,
            token: self.details.waitpoint_token.token().clone(),
        }
    }

    /// All waitpoints, in order.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let others = self.details.additional_waitpoints.iter().map(|other| Target {
            execution: self.id.clone(),
            waitpoint: other.waitpoint_id,
            token: other.waitpoint_token.token().clone(),
        });
        std::iter::once(self.target()).chain(others).collect()
    }
}

/// Any signal at the waitpoint of this key.
pub(crate) fn any_at(key: &str) -> ResumeCondition {
    ResumeCondition::Single { matcher: SignalMatcher::Wildcard, waitpoint_key: key.to_owned() }
}

/// A signal of this name at the waitpoint of this key.
pub(crate) fn named_at(name: &str, key: &str) -> ResumeCondition {
    let matcher = SignalMatcher::ByName(name.to_owned());
    ResumeCondition::Single { matcher, waitpoint_key: key.to_owned() }
}

/// All of these.
pub(crate) fn all_of(members: Vec<ResumeCondition>) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::AllOf { members })
}

/// So many at these waitpoints.
pub(crate) fn count(n: u32, count_kind: CountKind, keys: &[&str]) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::Count {
        count_kind,
        matcher: None,
        n,
        waitpoints: keys.iter().map(|key| (*key).to_owned()).collect(),
    })
}

/// A signal with this id, and nothing special about it.
pub(crate) fn plain_signal(to: &Target, signal_id: SignalId) -> DeliverSignalArgs {
    DeliverSignalArgs {
        execution_id: to.execution.clone(),
        correlation_id: None,
        created_at: None,
        dedup_ttl_ms: None,
        idempotency_key: None,
        max_signals_per_execution: None,
        payload: None,
        payload_encoding: None,
        resume_delay_ms: None,
        signal_category: "external".to_owned(),
        signal_id,
        signal_maxlen: None,
        signal_name: "go".to_owned(),
        source_identity: "tester".to_owned(),
        source_type: "suite".to_owned(),
        target_scope: "waitpoint".to_owned(),
        waitpoint_id: to.waitpoint,
        waitpoint_token: to.token.clone(),
        now: CALLERS_NOW,
    }
}

impl World {
    /// Seeds the deployment's first secret.
    pub(crate) async fn sign(&self) -> Result<(), Failure> {
        let args = SeedWaitpointHmacSecretArgs::new("first", SECRET);
        self.seed_waitpoint_hmac_secret(args).await.map_err(Failure::setup_refused)?;
        Ok(())
    }

    /// A fresh waitpoint of this key.
    pub(crate) fn fresh(&self, key: &str) -> WaitpointBinding {
        let waitpoint_id = WaitpointId::from_uuid(self.uuid());
        WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: key.to_owned() }
    }

    /// A suspension until this condition holds, with a fresh waitpoint of each key.
    pub(crate) fn suspending(&self, condition: ResumeCondition, keys: &[&str]) -> SuspendArgs {
        let mut waitpoints = keys.iter().map(|key| self.fresh(key));
        let first = waitpoints.next().unwrap_or_else(|| self.fresh("wp"));
        let args = SuspendArgs::new(
            SuspensionId::from_uuid(self.uuid()),
            first,
            condition,
            SuspensionReasonCode::WaitingForSignal,
            CALLERS_NOW,
        );
        waitpoints.fold(args, SuspendArgs::with_waitpoint)
    }

    /// A suspension until any signal comes to its only waitpoint, `wp`.
    pub(crate) fn plain_suspension(&self) -> SuspendArgs {
        self.suspending(any_at("wp"), &["wp"])
    }

    /// A new execution, claimed, in a deployment that can sign tokens.
    pub(crate) async fn signing(&self) -> Result<(ExecutionId, Handle), Failure> {
        self.sign().await?;
        self.claimed().await
    }

    /// Suspends, and asserts that it did.
    pub(crate) async fn suspended_by(
        &self,
        (id, handle): (ExecutionId, Handle),
        args: SuspendArgs,
    ) -> Result<Suspended, Failure> {
        match self.suspend(&handle, args).await? {
            SuspendOutcome::Suspended { details, handle: instead } => {
                Ok(Suspended { id, handle, instead, details })
            }
            other => Err(Failure::new(format!("it is suspended, not {other:?}"))),
        }
    }

    /// A new execution, suspended until any signal comes to its only waitpoint.
    pub(crate) async fn suspended(&self) -> Result<Suspended, Failure> {
        let claimed = self.signing().await?;
        self.suspended_by(claimed, self.plain_suspension()).await.map_err(Failure::in_setup)
    }

    /// What the holder of the execution's lease can show.
    pub(crate) async fn fence_of(&self, id: &ExecutionId) -> Result<LeaseFence, Failure> {
        let unreadable = |error: &dyn std::fmt::Display| Failure::setup(&error.to_string());
        let mut parts = Vec::new();
        for name in ["current_lease_id", "current_lease_epoch", "current_attempt_id"] {
            parts.push(self.field(id, name).await?.unwrap_or_default());
        }
        Ok(LeaseFence {
            lease_id: parts[0].parse().map_err(|error| unreadable(&error))?,
            lease_epoch: LeaseEpoch::new(parts[1].parse().map_err(|error| unreadable(&error))?),
            attempt_id: parts[2].parse().map_err(|error| unreadable(&error))?,
        })
    }

    /// A signal with nothing special about it.
    pub(crate) fn signal(&self, to: &Target) -> DeliverSignalArgs {
        plain_signal(to, SignalId::from_uuid(self.uuid()))
    }

    /// The same under this name.
    pub(crate) fn signal_named(&self, to: &Target, name: &str) -> DeliverSignalArgs {
        DeliverSignalArgs { signal_name: name.to_owned(), ..self.signal(to) }
    }

    /// Delivers a signal, and asserts that it has this effect.
    pub(crate) async fn expect_effect(
        &self,
        args: DeliverSignalArgs,
        effect: &str,
    ) -> Result<SignalId, Failure> {
        let signal_id = args.signal_id;
        let what = format!("the effect of {} at {}", args.signal_name, args.waitpoint_id);
        let expected = DeliverSignalResult::Accepted { effect: effect.to_owned(), signal_id };
        expect_eq!(self.deliver_signal(args).await?, expected, "{what}");
        Ok(signal_id)
    }

    /// A waitpoint made ahead of a suspension, pending for a minute.
    pub(crate) async fn pending(
        &self,
        (id, handle): &(ExecutionId, Handle),
        key: &str,
    ) -> Result<Target, Failure> {
        let minute = std::time::Duration::from_mins(1);
        let made = self.create_waitpoint(handle, key, minute).await;
        let made = made.map_err(Failure::setup_refused)?;
        Ok(Target {
            execution: id.clone(),
            waitpoint: made.waitpoint_id,
            token: made.hmac_token.token().clone(),
        })
    }

    /// A suspension that takes this pending waitpoint, until any signal comes to it.
    pub(crate) fn taking(&self, pending: &Target, key: &str) -> SuspendArgs {
        let mut args = self.suspending(any_at(key), &[]);
        args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id: pending.waitpoint }];
        args
    }

    /// The waitpoints of an execution that are listed.
    pub(crate) async fn waitpoints(
        &self,
        id: &ExecutionId,
    ) -> Result<Vec<PendingWaitpointInfo>, EngineError> {
        let args = ListPendingWaitpointsArgs::new(id.clone());
        Ok(self.list_pending_waitpoints(args).await?.entries)
    }

    /// Resumes by an operator, at once.
    pub(crate) async fn resume(
        &self,
        id: &ExecutionId,
    ) -> Result<ResumeExecutionResult, EngineError> {
        self.resume_after(id, 0).await
    }

    pub(crate) async fn resume_after(
        &self,
        id: &ExecutionId,
        resume_delay_ms: u64,
    ) -> Result<ResumeExecutionResult, EngineError> {
        let trigger_type = "operator".to_owned();
        let args = ResumeExecutionArgs { execution_id: id.clone(), resume_delay_ms, trigger_type };
        self.resume_execution(args).await
    }

    pub(crate) async fn expire(&self, id: &ExecutionId) -> Result<(), EngineError> {
        self.expire_suspension(self.partition_of(id), id, CALLERS_NOW).await
    }

    pub(crate) async fn close_pending(&self, target: &Target) -> Result<(), EngineError> {
        let (id, waitpoint) = (&target.execution, target.waitpoint.to_string());
        self.close_waitpoint(self.partition_of(id), id, &waitpoint, CALLERS_NOW).await
    }

    pub(crate) async fn observed(&self, handle: &Handle) -> Result<Vec<SignalId>, EngineError> {
        let signals = self.observe_signals(handle).await?;
        Ok(signals.into_iter().map(|signal| signal.signal_id).collect())
    }

    /// An approval with nothing special about it.
    pub(crate) fn approval(&self, target: &Target, suffix: &str) -> DeliverApprovalSignalArgs {
        let (id, lane): (_, LaneId) = (target.execution.clone(), self.lane_of(&target.execution));
        let waitpoint = target.waitpoint;
        DeliverApprovalSignalArgs::new(id, lane, waitpoint, "approved", suffix, 60_000, None, None)
    }
}
