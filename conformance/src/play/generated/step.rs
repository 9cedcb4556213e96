//! What a generated sequence is made of.

use ff_core::backend::{
    BackendTag, Handle, HandleKind, HandleOpaque, SuspendOutcome, WaitpointBinding,
};
use ff_core::call::{Call, Reply};
use ff_core::contracts::{
    ClaimExecutionResult, ClaimResumedExecutionResult, ReclaimExecutionOutcome,
};
use ff_core::engine_error::EngineError;
use ff_core::types::{WaitpointId, WaitpointToken, WorkerInstanceId};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// One step of a sequence. Handles in its call are symbols, since a handle is known only
/// once a backend has made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Call(Call),
    /// Lets this many milliseconds pass.
    Advance(u64),
    /// Compares all that the trait shows.
    Observe,
    /// Compares what is due, and sees to it until nothing is.
    Settle,
}

type Answer = Result<Reply, EngineError>;

/// The instance that a call claims for.
pub(crate) fn claimant(call: &Call) -> Option<&WorkerInstanceId> {
    match call {
        Call::Claim { policy, .. } => Some(&policy.worker_instance_id),
        Call::ClaimExecution { args } => Some(&args.worker_instance_id),
        Call::ReclaimExecution { args } => Some(&args.worker_instance_id),
        Call::ClaimResumedExecution { args } => Some(&args.worker_instance_id),
        Call::ClaimFromResumeGrant { token } => Some(&token.worker_instance_id),
        _ => None,
    }
}

/// The same, to be changed.
pub(crate) fn claimant_mut(call: &mut Call) -> Option<&mut WorkerInstanceId> {
    match call {
        Call::Claim { policy, .. } => Some(&mut policy.worker_instance_id),
        Call::ClaimExecution { args } => Some(&mut args.worker_instance_id),
        Call::ReclaimExecution { args } => Some(&mut args.worker_instance_id),
        Call::ClaimResumedExecution { args } => Some(&mut args.worker_instance_id),
        Call::ClaimFromResumeGrant { token } => Some(&mut token.worker_instance_id),
        _ => None,
    }
}

/// The handle of a lease that has begun.
fn lease_in(reply: &Reply) -> Option<&Handle> {
    match reply {
        Reply::Claim(handle) | Reply::ClaimFromResumeGrant(handle) => handle.as_ref(),
        Reply::ClaimExecution(ClaimExecutionResult::Claimed(claimed)) => Some(&claimed.handle),
        Reply::ReclaimExecution(ReclaimExecutionOutcome::Claimed(handle)) => Some(handle),
        Reply::ClaimResumedExecution(ClaimResumedExecutionResult::Claimed(claimed)) => {
            Some(&claimed.handle)
        }
        _ => None,
    }
}

/// What a backend has given out, and calls need again.
#[derive(Clone, Default)]
pub(crate) struct Given {
    /// Handles by the worker instance that claimed under them.
    pub(crate) leases: OrdMap<String, Handle>,
    /// Tokens by the waitpoints that they open.
    tokens: OrdMap<WaitpointId, WaitpointToken>,
    /// What a backend calls a waitpoint that it has minted, by what the model calls it, and the other way round.
    theirs: OrdMap<WaitpointId, WaitpointId>,
}

impl Given {
    /// Keeps what an answer gives out.
    pub(crate) fn learn(&mut self, call: &Call, answer: &Answer) {
        let Ok(reply) = answer else {
            return;
        };
        if let (Some(holder), Some(handle)) = (claimant(call), lease_in(reply)) {
            self.leases.insert(holder.as_str().to_owned(), handle.clone());
        }
        match reply {
            Reply::CreateWaitpoint(made) => {
                self.tokens.insert(made.waitpoint_id, made.hmac_token.token().clone());
            }
            Reply::Suspend(outcome) | Reply::SuspendByTriple(outcome) => {
                self.learn_outcome(outcome);
            }
            _ => {}
        }
    }

    /// Keeps what a backend has given out where the model gave out something else.
    pub(crate) fn learn_both(&mut self, model: &Answer, backend: &Answer) {
        if let (Ok(Reply::CreateWaitpoint(model)), Ok(Reply::CreateWaitpoint(backend))) =
            (model, backend)
        {
            self.theirs.insert(model.waitpoint_id, backend.waitpoint_id);
            self.tokens.insert(model.waitpoint_id, backend.hmac_token.token().clone());
        }
    }

    fn learn_outcome(&mut self, outcome: &SuspendOutcome) {
        let (SuspendOutcome::Suspended { details, .. }
        | SuspendOutcome::AlreadySatisfied { details }) = outcome
        else {
            return;
        };
        let first = (details.waitpoint_id, &details.waitpoint_token);
        let others = details.additional_waitpoints.iter();
        let others = others.map(|other| (other.waitpoint_id, &other.waitpoint_token));
        for (waitpoint, token) in std::iter::once(first).chain(others) {
            self.tokens.insert(waitpoint, token.token().clone());
        }
    }
}

impl Given {
    /// Puts a real token in its symbol's place; `None` if there is no such token.
    pub(crate) fn sign(&self, call: &mut Call) -> Option<()> {
        if let Call::DeliverSignal { args } = call
            && args.waitpoint_token.as_str() == TOKEN
        {
            args.waitpoint_token = self.tokens.get(&args.waitpoint_id)?.clone();
        }
        Some(())
    }

    /// Calls waitpoints what the backend calls them.
    fn name_waitpoints(&self, call: &mut Call) {
        let rename = |id: &mut WaitpointId| {
            if let Some(theirs) = self.theirs.get(id) {
                *id = *theirs;
            }
        };
        match call {
            Call::Suspend { args, .. } | Call::SuspendByTriple { args, .. } => {
                for binding in &mut args.waitpoints {
                    if let WaitpointBinding::UsePending { waitpoint_id }
                    | WaitpointBinding::Fresh { waitpoint_id, .. } = binding
                    {
                        rename(waitpoint_id);
                    }
                }
            }
            Call::DeliverSignal { args } => rename(&mut args.waitpoint_id),
            Call::DeliverApprovalSignal { args } => rename(&mut args.waitpoint_id),
            Call::ReadWaitpointToken { waitpoint_id, .. } => rename(waitpoint_id),
            Call::CloseWaitpoint { waitpoint_id: text, .. } => {
                if let Ok(mut id) = text.parse() {
                    rename(&mut id);
                    *text = id.to_string();
                }
            }
            _ => {}
        }
    }
}

/// Stands for the token of the waitpoint that the call names.
pub(crate) const TOKEN: &str = "token";

/// The instance that holds a lease of another deployment, on an execution unknown to this one.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// What is done to a handle before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Disguise {
    /// Nothing.
    Lease,
    /// Its last byte is gone.
    CutLease,
    /// There is a byte too many.
    PaddedLease,
    /// It bears another backend's tag.
    ForeignLease,
}

/// A handle that stands for the lease which the claim of this instance got. A `kind` other than
/// `Fresh` replaces the handle's own.
pub(crate) fn lease_of(instance: &str, disguise: Disguise, kind: HandleKind) -> Handle {
    let opaque = HandleOpaque::new(instance.as_bytes().into());
    Handle::new(BackendTag::Other(disguise.into()), kind, opaque)
}

/// The instance and the disguise that a symbol stands for.
pub(crate) fn read_symbol(symbol: &Handle) -> Option<(String, Disguise)> {
    let disguise = symbol.backend.as_str().parse().ok()?;
    let instance = String::from_utf8(symbol.opaque.as_bytes().to_vec()).ok()?;
    Some((instance, disguise))
}

/// The call with a real handle and a real token for its symbols; `None` if
/// there is no such lease or no such token.
pub(crate) fn bound(call: &Call, given: &Given) -> Option<Call> {
    let mut call = call.clone();
    given.sign(&mut call)?;
    given.name_waitpoints(&mut call);
    if let Some(handle) = call.handle_mut() {
        let (instance, disguise) = read_symbol(handle)?;
        let kind = handle.kind;
        *handle = disguised(given.leases.get(&instance)?, disguise);
        if kind != HandleKind::Fresh {
            handle.kind = kind;
        }
    }
    Some(call)
}

fn disguised(handle: &Handle, disguise: Disguise) -> Handle {
    let bytes = handle.opaque.as_bytes();
    let with_bytes = |bytes: &[u8]| {
        let opaque = HandleOpaque::new(bytes.into());
        Handle::new(handle.backend, handle.kind, opaque)
    };
    match disguise {
        Disguise::Lease => handle.clone(),
        Disguise::CutLease => with_bytes(&bytes[..bytes.len().saturating_sub(1)]),
        Disguise::PaddedLease => with_bytes(&[bytes, &[0]].concat()),
        Disguise::ForeignLease => {
            let mut foreign = handle.clone();
            foreign.backend = BackendTag::Other("another-family");
            foreign
        }
    }
}
