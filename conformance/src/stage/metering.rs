//! Budgets and quotas, and every way to report usage.

use std::collections::{BTreeMap, HashMap};

use ff_core::backend::{Handle, UsageDimensions};
use ff_core::call::{Call, Method, Reply};
use ff_core::contracts::{
    BudgetStatus, CheckAdmissionArgs, CheckAdmissionResult, CreateBudgetArgs, CreateBudgetResult,
    CreateQuotaPolicyArgs, CreateQuotaPolicyResult, RecordSpendArgs, ReleaseAdmissionArgs,
    ReleaseBudgetArgs, ReportUsageAdminArgs, ReportUsageResult, ResetBudgetArgs, ResetBudgetResult,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::{Partition, budget_partition, quota_partition};
use ff_core::types::{BudgetId, ExecutionId, QuotaPolicyId, TimestampMs};

use super::callers_now::CALLERS_NOW;
use super::failure::Failure;
use super::world::World;

/// A dimension with its hard and its soft limit.
pub(crate) type Limited<'a> = (&'a str, u64, u64);

/// A way to report usage.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// Under the handle of an attempt.
    Attempt(Handle),
    /// On an operator's authority.
    Operator,
    /// In the name of an execution.
    Spend(ExecutionId),
}

impl Way {
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Attempt(_) => Method::ReportUsage,
            Self::Operator => Method::ReportUsageAdmin,
            Self::Spend(_) => Method::RecordSpend,
        }
    }

    /// A report of these amounts in this way.
    pub(crate) fn call(
        &self,
        budget: &BudgetId,
        amounts: &[(&str, u64)],
        key: Option<&str>,
    ) -> Call {
        let owned = || amounts.iter().map(|(name, amount)| ((*name).to_owned(), *amount));
        match self {
            Self::Attempt(handle) => {
                let mut dimensions = UsageDimensions::new();
                dimensions.custom = owned().collect();
                dimensions.dedup_key = key.map(str::to_owned);
                Call::ReportUsage { handle: handle.clone(), budget: *budget, dimensions }
            }
            Self::Operator => {
                let (names, deltas) = owned().unzip();
                let mut args = ReportUsageAdminArgs::new(names, deltas, CALLERS_NOW);
                args.dedup_key = key.map(str::to_owned);
                Call::ReportUsageAdmin { budget: *budget, args }
            }
            Self::Spend(execution) => {
                let (deltas, key) = (owned().collect(), key.unwrap_or_default());
                let args = RecordSpendArgs::new(*budget, execution.clone(), deltas, key);
                Call::RecordSpend { args }
            }
        }
    }
}

impl World {
    /// Every way to report usage that the backend claims.
    pub(crate) async fn ways(&self) -> Result<Vec<Way>, Failure> {
        let (id, handle) = self.claimed().await?;
        let ways = [Way::Attempt(handle), Way::Operator, Way::Spend(id)];
        Ok(ways.into_iter().filter(|way| self.claims(way.method())).collect())
    }

    pub(crate) fn budget_id(&self) -> BudgetId {
        BudgetId::from_uuid(self.uuid())
    }

    /// A budget with these limits, and nothing special about it.
    pub(crate) fn budget_args(&self, limits: &[Limited<'_>]) -> CreateBudgetArgs {
        CreateBudgetArgs {
            budget_id: self.budget_id(),
            dimensions: limits.iter().map(|(name, ..)| (*name).to_owned()).collect(),
            enforcement_mode: "strict".to_owned(),
            hard_limits: limits.iter().map(|(_, hard, _)| *hard).collect(),
            on_hard_limit: "deny".to_owned(),
            on_soft_limit: "warn".to_owned(),
            reset_interval_ms: 0,
            scope_id: "acme".to_owned(),
            scope_type: "tenant".to_owned(),
            soft_limits: limits.iter().map(|(_, _, soft)| *soft).collect(),
            now: CALLERS_NOW,
        }
    }

    /// Defines a budget, and asserts that it is new.
    pub(crate) async fn define(&self, args: CreateBudgetArgs) -> Result<BudgetId, Failure> {
        let budget_id = args.budget_id;
        let created = self.create_budget(args).await?;
        expect_eq!(created, CreateBudgetResult::Created { budget_id }, "the definition");
        Ok(budget_id)
    }

    /// A new budget with these limits, for what follows.
    pub(crate) async fn budget(&self, limits: &[Limited<'_>]) -> Result<BudgetId, Failure> {
        self.define(self.budget_args(limits)).await.map_err(Failure::in_setup)
    }

    /// Reports usage.
    pub(crate) async fn report(
        &self,
        way: &Way,
        budget: &BudgetId,
        amounts: &[(&str, u64)],
        key: Option<&str>,
    ) -> Result<ReportUsageResult, EngineError> {
        match way.call(budget, amounts, key).send(&**self).await? {
            Reply::ReportUsage(result)
            | Reply::ReportUsageAdmin(result)
            | Reply::RecordSpend(result) => Ok(result),
            other => Err(EngineError::Unavailable { op: other.method().as_str() }),
        }
    }

    /// Reports usage that is counted, for what follows.
    pub(crate) async fn counts(
        &self,
        way: &Way,
        budget: &BudgetId,
        amounts: &[(&str, u64)],
    ) -> Result<(), Failure> {
        let told = self.report(way, budget, amounts, None).await?;
        expect_eq!(told, ReportUsageResult::Ok, "{amounts:?} by {}", way.method().as_str());
        Ok(())
    }

    pub(crate) async fn status(&self, budget: &BudgetId) -> Result<BudgetStatus, EngineError> {
        self.get_budget_status(budget).await
    }

    /// What a budget has counted.
    pub(crate) async fn usage(
        &self,
        budget: &BudgetId,
    ) -> Result<BTreeMap<String, u64>, EngineError> {
        self.status(budget).await.map(|status| status.usage.into_iter().collect())
    }

    /// Asserts what a budget has counted.
    pub(crate) async fn expect_usage(
        &self,
        budget: &BudgetId,
        expected: &[(&str, u64)],
        what: &str,
    ) -> Result<(), Failure> {
        let expected = expected.iter().map(|(name, used)| ((*name).to_owned(), *used));
        let expected: BTreeMap<_, _> = expected.collect();
        expect_eq!(self.usage(budget).await?, expected, "{what}");
        Ok(())
    }

    pub(crate) async fn reset(&self, budget: &BudgetId) -> Result<TimestampMs, EngineError> {
        let args = ResetBudgetArgs { budget_id: *budget, now: CALLERS_NOW };
        let ResetBudgetResult::Reset { next_reset_at } = self.reset_budget(args).await?;
        Ok(next_reset_at)
    }

    /// Gives back what was counted in an execution's name.
    pub(crate) async fn give_back(
        &self,
        budget: &BudgetId,
        execution: &ExecutionId,
    ) -> Result<(), EngineError> {
        self.release_budget(ReleaseBudgetArgs::new(*budget, execution.clone())).await
    }

    pub(crate) fn budget_home(&self, budget: &BudgetId) -> Partition {
        budget_partition(budget, &self.partitions())
    }

    pub(crate) fn quota_id(&self) -> QuotaPolicyId {
        QuotaPolicyId::from_uuid(self.uuid())
    }

    pub(crate) fn quota_home(&self, policy: &QuotaPolicyId) -> Partition {
        quota_partition(policy, &self.partitions())
    }

    /// Ten a minute, three at once.
    pub(crate) fn quota_args(&self) -> CreateQuotaPolicyArgs {
        CreateQuotaPolicyArgs {
            max_concurrent: 3,
            max_requests_per_window: 10,
            quota_policy_id: self.quota_id(),
            window_seconds: 60,
            now: CALLERS_NOW,
        }
    }

    /// A new policy, for what follows.
    pub(crate) async fn quota(
        &self,
        args: CreateQuotaPolicyArgs,
    ) -> Result<QuotaPolicyId, Failure> {
        let quota_policy_id = args.quota_policy_id;
        let created = self.create_quota_policy(args).await.map_err(Failure::setup_refused)?;
        expect_eq!(created, CreateQuotaPolicyResult::Created { quota_policy_id }, "the policy");
        Ok(quota_policy_id)
    }

    /// Asks for admission under this rate and this cap, in a window of a minute.
    pub(crate) fn asking(&self, rate_limit: u64, concurrency_cap: u64) -> CheckAdmissionArgs {
        CheckAdmissionArgs {
            execution_id: self.execution_id(),
            concurrency_cap,
            jitter_ms: None,
            rate_limit,
            window_seconds: 60,
            now: CALLERS_NOW,
        }
    }

    /// The answer in the dimension that has no name.
    pub(crate) async fn admission(
        &self,
        policy: &QuotaPolicyId,
        args: &CheckAdmissionArgs,
    ) -> Result<CheckAdmissionResult, EngineError> {
        self.check_admission(policy, "", args.clone()).await
    }

    /// Admits a new execution, for what follows.
    pub(crate) async fn admitted(
        &self,
        policy: &QuotaPolicyId,
        args: CheckAdmissionArgs,
    ) -> Result<ExecutionId, Failure> {
        let answer = self.admission(policy, &args).await?;
        expect_eq!(answer, CheckAdmissionResult::Admitted, "there is room");
        Ok(args.execution_id)
    }

    pub(crate) async fn leave(
        &self,
        policy: &QuotaPolicyId,
        execution: &ExecutionId,
    ) -> Result<(), EngineError> {
        self.release_admission(ReleaseAdmissionArgs::new(*policy, execution.clone()))
            .await
            .map(drop)
    }

    /// What each of so many tasks answers that run at once.
    pub(crate) async fn at_once<T, F>(
        &self,
        count: usize,
        task: impl Fn(Self, usize) -> F,
    ) -> Result<Vec<T>, Failure>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let tasks: Vec<_> =
            (0..count).map(|number| tokio::spawn(task(self.clone(), number))).collect();
        let mut answers = Vec::new();
        for task in tasks {
            let answer = task.await;
            answers.push(answer.map_err(|panic| Failure::new(format!("a task died: {panic}")))?);
        }
        Ok(answers)
    }
}

/// Limits or usage by dimension, in order.
pub(crate) fn in_order(given: &HashMap<String, u64>) -> Vec<(&str, u64)> {
    let given: BTreeMap<&str, u64> =
        given.iter().map(|(name, number)| (name.as_str(), *number)).collect();
    given.into_iter().collect()
}
