//! What the deployments of a backend do not have: it is found out once, and what is skipped is not deployed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::stage::{Case, CaseInfo, Deployment, Harness, Need, deploy};

/// The needs that a deployment is known not to meet.
#[derive(Default)]
pub(crate) struct Lacking(Mutex<BTreeSet<Need>>);

impl Lacking {
    /// Looks once for each need of these cases.
    pub(crate) async fn of(harness: &Arc<dyn Harness>, cases: &[Case]) -> Self {
        let lacking = Self::default();
        let mut looked = BTreeSet::new();
        for case in cases {
            let is_new = case.needs.iter().any(|need| looked.insert(*need));
            // Why one cannot be deployed is said by its case.
            if is_new && let Ok(deployment) = deploy(harness, case).await {
                lacking.learn(case, &deployment);
            }
        }
        lacking
    }

    /// What the case needs and no deployment has.
    pub(crate) fn known(&self, case: &CaseInfo) -> Option<Need> {
        let lacking = self.lock();
        case.needs.iter().copied().find(|need| lacking.contains(need))
    }

    /// What the case needs and this deployment, which was made for it, does not have.
    pub(crate) fn learn(&self, case: &CaseInfo, deployment: &Deployment) -> Option<Need> {
        let missing = case.needs.iter().copied().filter(|need| match need {
            Need::Clock => deployment.clock.is_none(),
            Need::Nemesis => deployment.nemesis.is_none(),
            Need::Vandal => deployment.vandal.is_none(),
            Need::Housekeeping => deployment.housekeeping.is_none(),
            Need::Passive => deployment.settling.is_some(),
            Need::Concurrency | Need::Elsewhere => false,
        });
        let missing: Vec<Need> = missing.collect();
        self.lock().extend(&missing);
        missing.first().copied()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Need>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
