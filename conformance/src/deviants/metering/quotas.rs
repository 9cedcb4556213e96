//! Deviants that break the clauses under "Quotas".

use ff_core::call::{Method, Reply};
use ff_core::contracts::CreateQuotaPolicyResult;
use ff_mock::{Quota, QuotaLimits};

use crate::deviants::declare::{deviant, reply, request};
use crate::deviants::fault::{Fault, answer, succeeds_for_all};

deviant!("replaces-policies", QUO_003, "Shows the limits that were asked for last." => {
    let asked = std::sync::Mutex::new(std::collections::HashMap::new());
    answer(move |call, answer| {
        let mut asked = crate::deviants::fault::lock(&asked);
        match (call, answer) {
            (ff_core::call::Call::CreateQuotaPolicy { args }, Ok(_)) => {
                asked.insert(args.quota_policy_id, args.max_concurrent);
            }
            (
                ff_core::call::Call::ReadQuotaPolicyLimits { quota_policy_id },
                Ok(Reply::ReadQuotaPolicyLimits(Some(limits))),
            ) => {
                if let Some(last) = asked.get(quota_policy_id) {
                    limits.active_concurrency_cap = *last;
                }
            }
            _ => {}
        }
    })
});

deviant!("policies-for-all", QUO_003, "Says to all at once that their policy is new." =>
succeeds_for_all(Method::CreateQuotaPolicy, |reply| {
    matches!(reply, Reply::CreateQuotaPolicy(CreateQuotaPolicyResult::Created { .. }))
}));

request!("windows-of-nothing", QUO_002, "Takes a window of 0 s for one of 1 s.",
    CreateQuotaPolicy { args } => args.window_seconds = args.window_seconds.max(1));

deviant!("admissions-create", QUO_004, "Creates the policies that it admits under." =>
Fault::default().damage(|_, after: &mut Quota| {
    after.limits.get_or_insert(QuotaLimits {
        max_concurrent: 0,
        max_requests_per_window: 0,
        window_seconds: 0,
    });
}));

reply!("windows-in-milliseconds", QUO_004, "Shows windows in milliseconds.",
    ReadQuotaPolicyLimits(Some(limits)) => limits.requests_per_window_seconds *= 1_000);

reply!("some-jitter", QUO_018, "Shows a jitter that nobody named.",
    ReadQuotaPolicyLimits(Some(limits)) => limits.jitter_ms = 50);
