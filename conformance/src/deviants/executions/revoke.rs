//! Deviants that break the clauses under "Revoke".

use ff_core::call::{Method, Reply};
use ff_core::contracts::RevokeLeaseResult;
use ff_core::engine_error::EngineError;
use ff_core::state::OwnershipState;
use ff_core::types::WorkerInstanceId;

use crate::deviants::declare::{around, deviant, reply, request};
use crate::deviants::executions::frees;
use crate::deviants::fault::{marks_repetitions_of, write};

deviant!("frees-the-revoked", OPS_014, "Puts an execution whose lease is revoked back among the waiting." =>
    frees(OwnershipState::LeaseRevoked));

reply!("tells-the-next-epoch", OPS_014, "Says of a revoked lease that it has the next epoch.",
    RevokeLease(RevokeLeaseResult::Revoked { lease_epoch, .. }) => *lease_epoch = "2".to_owned());

deviant!("marks-repeated-revocations", OPS_016, "Leaves a mark when a lease is revoked again." =>
    marks_repetitions_of(Method::RevokeLease));

around!(
    "nothing-to-revoke-is-an-error",
    OPS_016,
    "Refuses to revoke where there is no lease.",
    |subject, call| {
        match subject.ask(call).await {
            Ok(Reply::RevokeLease(RevokeLeaseResult::AlreadySatisfied { reason })) => {
                Err(EngineError::invalid_input(reason))
            }
            answer => answer,
        }
    }
);

request!("revokes-anybodys", OPS_017, "Revokes whoever holds it.",
    RevokeLease { args } => args.worker_instance_id = WorkerInstanceId::new(""));

request!("revokes-any-lease", OPS_017, "Revokes whichever lease is current.",
    RevokeLease { args } => args.expected_lease_id = None);

around!(
    "lapsed-is-inactive",
    OPS_018,
    "Says of a lapsed lease that there is none.",
    |subject, call| {
        match subject.ask(call).await {
            Ok(Reply::RevokeLease(RevokeLeaseResult::AlreadySatisfied { reason })) => {
                let reason = reason.replace("already_expired", "no_active_lease");
                Ok(Reply::RevokeLease(RevokeLeaseResult::AlreadySatisfied { reason }))
            }
            answer => answer,
        }
    }
);

deviant!("undated-revocation", OPS_019, "Does not say when a lease was revoked." =>
    write(|_, after| after.lease_revoked_at = None));

request!("revokes-without-a-word", OPS_019, "Forgets why a lease was revoked.",
    RevokeLease { args } => args.reason.clear());
