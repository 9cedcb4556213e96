//! Leases, and every call that is made under one.

use std::time::Duration;

use ff_core::backend::{FailureClass, FailureReason, Handle};
use ff_core::call::{Call, Method};
use ff_core::contracts::{CompleteExecutionArgs, FailExecutionArgs, RenewLeaseArgs};
use ff_core::types::{AttemptIndex, CancelSource, ExecutionId, LeaseFence};

use super::callers_now::CALLERS_NOW;
use super::failure::Failure;
use super::streams::frame;
use super::world::World;

/// A lease as its holder knows it: its handle, and what names it without one.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    pub id: ExecutionId,
    pub handle: Handle,
    pub fence: LeaseFence,
    pub attempt_index: AttemptIndex,
}

/// A call under a lease.
pub(crate) struct LeaseCall {
    pub method: Method,
    make: fn(&World, &Leased) -> Call,
}

impl LeaseCall {
    pub(crate) fn of(&self, world: &World, leased: &Leased) -> Call {
        (self.make)(world, leased)
    }
}

/// Those that leave the lease to its holder.
pub(crate) const KEEPING: &[LeaseCall] = &[
    LeaseCall { method: Method::Renew, make: |_, leased| Call::Renew { handle: leased.handle() } },
    LeaseCall {
        method: Method::Progress,
        make: |_, leased| Call::Progress {
            handle: leased.handle(),
            percent: Some(99),
            message: None,
        },
    },
    LeaseCall {
        method: Method::AppendFrame,
        make: |_, leased| Call::AppendFrame { handle: leased.handle(), frame: frame("text") },
    },
    LeaseCall {
        method: Method::CreateWaitpoint,
        make: |_, leased| Call::CreateWaitpoint {
            handle: leased.handle(),
            waitpoint_key: "wp".to_owned(),
            expires_in: Duration::from_mins(1),
        },
    },
    LeaseCall {
        method: Method::RenewLease,
        make: |_, leased| Call::RenewLease { args: leased.renewing() },
    },
];

/// Those that end the attempt or set it aside, but for suspensions.
pub(crate) const ENDING: &[LeaseCall] = &[
    LeaseCall {
        method: Method::Complete,
        make: |_, leased| Call::Complete {
            handle: leased.handle(),
            payload: Some(b"done".to_vec()),
        },
    },
    LeaseCall {
        method: Method::Fail,
        make: |_, leased| Call::Fail {
            handle: leased.handle(),
            reason: FailureReason::new("boom"),
            classification: FailureClass::Transient,
        },
    },
    LeaseCall {
        method: Method::Cancel,
        make: |_, leased| Call::Cancel { handle: leased.handle(), reason: "why".to_owned() },
    },
    LeaseCall {
        method: Method::WaitChildren,
        make: |_, leased| Call::WaitChildren { handle: leased.handle() },
    },
    LeaseCall {
        method: Method::Delay,
        make: |world, leased| Call::Delay {
            handle: leased.handle(),
            delay_until: world.in_ms(60_000),
        },
    },
    LeaseCall {
        method: Method::CompleteExecution,
        make: |_, leased| Call::CompleteExecution { args: leased.completing() },
    },
    LeaseCall {
        method: Method::FailExecution,
        make: |_, leased| Call::FailExecution { args: leased.failing() },
    },
];

/// Suspensions.
pub(crate) const SUSPENDING: &[LeaseCall] = &[
    LeaseCall {
        method: Method::Suspend,
        make: |world, leased| Call::Suspend {
            handle: leased.handle(),
            args: world.plain_suspension(),
        },
    },
    LeaseCall {
        method: Method::SuspendByTriple,
        make: |world, leased| Call::SuspendByTriple {
            exec_id: leased.id.clone(),
            triple: leased.fence.clone(),
            args: world.plain_suspension(),
        },
    },
];

impl Leased {
    fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// A renewal for 30 s.
    pub(crate) fn renewing(&self) -> RenewLeaseArgs {
        RenewLeaseArgs {
            execution_id: self.id.clone(),
            attempt_index: self.attempt_index,
            fence: Some(self.fence.clone()),
            lease_history_grace_ms: 60_000,
            lease_ttl_ms: 30_000,
        }
    }

    /// A success with a result.
    pub(crate) fn completing(&self) -> CompleteExecutionArgs {
        CompleteExecutionArgs {
            execution_id: self.id.clone(),
            attempt_index: self.attempt_index,
            fence: Some(self.fence.clone()),
            result_encoding: None,
            result_payload: Some(b"done".to_vec()),
            source: CancelSource::LeaseHolder,
            now: CALLERS_NOW,
        }
    }

    /// A failure, by the policy of the execution.
    pub(crate) fn failing(&self) -> FailExecutionArgs {
        FailExecutionArgs {
            execution_id: self.id.clone(),
            attempt_index: self.attempt_index,
            failure_category: "transient".to_owned(),
            failure_reason: "boom".to_owned(),
            fence: Some(self.fence.clone()),
            next_attempt_policy_json: String::new(),
            retry_policy_json: String::new(),
            source: CancelSource::LeaseHolder,
        }
    }
}

impl World {
    /// What the holder of this handle knows, while it holds the execution.
    pub(crate) async fn leased_by(
        &self,
        (id, handle): (ExecutionId, Handle),
    ) -> Result<Leased, Failure> {
        let fence = self.fence_of(&id).await?;
        let index = self.field(&id, "current_attempt_index").await?.unwrap_or_default();
        let index = index.parse().map_err(|_| Failure::setup("its attempt has an index"))?;
        Ok(Leased { id, handle, fence, attempt_index: AttemptIndex::new(index) })
    }

    /// A new execution that is held.
    pub(crate) async fn leased(&self) -> Result<Leased, Failure> {
        self.leased_by(self.claimed().await?).await
    }

    /// Those of these calls that the backend claims.
    pub(crate) fn claimed_of(&self, calls: &[&'static [LeaseCall]]) -> Vec<&'static LeaseCall> {
        let calls = calls.iter().copied().flatten();
        calls.filter(|call| self.claims(call.method)).collect()
    }
}
