//! Every method of metering that has rules, called once.

use ff_core::backend::Handle;
use ff_core::partition::{Partition, PartitionConfig, budget_partition, quota_partition};
use ff_core::types::{BudgetId, ExecutionId, QuotaPolicyId};
use serde_json::json;
use uuid::Uuid;

use super::round::{Each, Round};

impl<E: Each> Round<E> {
    /// Counts usage in each way, gives some back, and starts anew; admits an execution and lets it go; and makes a stream.
    pub(super) async fn meter(&mut self, home: Partition) {
        let (budget, partitions) = (BudgetId::new(), PartitionConfig::default());
        let definition = json!({
            "budget_id": budget, "dimensions": ["cost"], "enforcement_mode": "strict",
            "hard_limits": [10], "on_hard_limit": "deny", "on_soft_limit": "warn",
            "reset_interval_ms": 0, "scope_id": "acme", "scope_type": "tenant",
            "soft_limits": [5], "now": 0,
        });
        self.call(json!({ "create_budget": { "args": definition } })).await;
        let execution = ExecutionId::from_parts(home.index, Uuid::new_v4());
        self.create(&execution, None).await;
        let lease = self.claim().await;
        self.stream(&execution, &lease).await;
        let usage = json!({
            "custom": { "cost": 1 }, "dedup_key": "one", "input_tokens": 0, "output_tokens": 0,
            "wall_ms": null,
        });
        let report = json!({ "handle": lease, "budget": budget, "dimensions": usage });
        self.call(json!({ "report_usage": report })).await;
        let report = json!({ "dimensions": ["cost"], "deltas": [1], "now": 0, "dedup_key": "two" });
        self.call(json!({ "report_usage_admin": { "budget": budget, "args": report } })).await;
        let spend = json!({
            "budget_id": budget, "execution_id": execution, "deltas": { "cost": 1 },
            "idempotency_key": "three",
        });
        self.call(json!({ "record_spend": { "args": spend } })).await;
        let release = json!({ "budget_id": budget, "execution_id": execution });
        self.call(json!({ "release_budget": { "args": release } })).await;
        self.call(json!({ "get_budget_status": { "id": budget } })).await;
        self.call(json!({ "read_budget_usage_and_limits": { "budget_id": budget } })).await;
        let reset = json!({ "budget_id": budget, "now": 0 });
        self.call(json!({ "reset_budget": { "args": reset } })).await;
        let home = budget_partition(&budget, &partitions);
        let pass = json!({ "partition": home, "now_ms": 0 });
        self.call(json!({ "reconcile_budget_counters": pass })).await;

        let policy = QuotaPolicyId::new();
        let limits = json!({
            "quota_policy_id": policy, "max_concurrent": 3, "max_requests_per_window": 10,
            "window_seconds": 60, "now": 0,
        });
        self.call(json!({ "create_quota_policy": { "args": limits } })).await;
        self.call(json!({ "read_quota_policy_limits": { "quota_policy_id": policy } })).await;
        let asks = json!({
            "execution_id": execution, "concurrency_cap": 3, "jitter_ms": null, "rate_limit": 10,
            "window_seconds": 60, "now": 0,
        });
        let asks = json!({ "quota_policy_id": policy, "dimension": "calls", "args": asks });
        self.call(json!({ "check_admission": asks })).await;
        let release = json!({ "quota_policy_id": policy, "execution_id": execution });
        self.call(json!({ "release_admission": { "args": release } })).await;
        let home = quota_partition(&policy, &partitions);
        let pass = json!({ "partition": home, "now_ms": 0 });
        self.call(json!({ "reconcile_quota_counters": pass })).await;
    }

    /// Appends to the stream of an attempt, reads it, and follows events.
    async fn stream(&mut self, execution: &ExecutionId, lease: &Handle) {
        let frame = json!({
            "bytes": "{}", "kind": "event", "correlation_id": null, "frame_type": "", "seq": null,
            "mode": { "durable_summary": { "patch_kind": "json_merge_patch" } },
        });
        self.call(json!({ "append_frame": { "handle": lease, "frame": frame } })).await;
        let read = json!({
            "execution_id": execution, "attempt_index": 0, "from": "start", "to": "end",
            "count_limit": 10,
        });
        self.call(json!({ "read_stream": read })).await;
        let tail = json!({
            "execution_id": execution, "attempt_index": 0, "after": "0-0", "block_ms": 0,
            "count_limit": 10, "visibility": "all",
        });
        self.call(json!({ "tail_stream": tail })).await;
        let read = json!({ "execution_id": execution, "attempt_index": 0 });
        self.call(json!({ "read_summary": read })).await;
        let filter = json!({ "namespace": null, "instance_tag": null });
        for family in ["lease_history", "completion", "signal_delivery"] {
            let follow = json!({ "cursor": [], "filter": filter });
            self.call(json!({ (format!("subscribe_{family}")): follow })).await;
        }
        self.call(json!({ "subscribe_instance_tags": { "cursor": [] } })).await;
    }
}
