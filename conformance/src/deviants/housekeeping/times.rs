//! Deviants that break the clauses under "Times".

use ff_core::call::Call;
use ff_core::engine_backend::ExpirePhase;

use crate::deviants::declare::deviant;
use crate::deviants::fault::{due, write};
use crate::deviants::housekeeping::without;

deviant!("lists-no-delay", HSK_001, "Lists no delay." => without("promote_delayed"));

deviant!("delays-without-retries", HSK_001, "Lists no delay of a retry." => write(|before, after| {
    if before.is_some_and(|before| after.retry_count > before.retry_count) {
        after.delay_until =
            after.delay_until.map(|until| ff_core::types::TimestampMs(until.0 + 10));
    }
}));

deviant!("forgets-leases", HSK_002, "Lists no lease." => without("mark_lease_expired_if_due"));

deviant!("forgets-timeouts", HSK_009, "Lists no suspension." => without("expire_suspension"));

deviant!("forgets-waitpoints", HSK_010, "Lists no waitpoint." => without("close_waitpoint"));

deviant!("forgets-attempts", HSK_011, "Lists no attempt that is out of time." => due(|calls| {
    calls.retain(|call| !is_expiry(call, ExpirePhase::AttemptTimeout));
}));

deviant!("forgets-ends-by-time", HSK_012, "Lists no deadline." => due(|calls| {
    calls.retain(|call| !is_expiry(call, ExpirePhase::ExecutionDeadline));
}));

fn is_expiry(call: &Call, of: ExpirePhase) -> bool {
    matches!(call, Call::ExpireExecution { phase, .. } if *phase == of)
}

deviant!("forgets-budgets", HSK_013, "Lists nothing that waits for a budget." =>
    without("unblock_execution"));

deviant!("forgets-resets", HSK_014, "Lists no reset." => without("reset_budget"));

deviant!("lists-the-last-first", HSK_006, "Lists all but the first." => due(|calls| {
    if calls.len() > 4 {
        calls.remove(0);
    }
}));
