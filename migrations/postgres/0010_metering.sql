-- Budgets, what is counted against them, quotas, and what is admitted under them.

ALTER TABLE ff_exec_core ADD COLUMN denied_by_budget uuid;

CREATE INDEX ff_exec_denied
    ON ff_exec_core (partition_key, denied_by_budget, execution_id)
    WHERE denied_by_budget IS NOT NULL;

CREATE TABLE ff_budget (
    partition_key bigint NOT NULL,
    budget_id     uuid NOT NULL,
    due_at        bigint,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, budget_id)
);

CREATE INDEX ff_budget_due
    ON ff_budget (partition_key, due_at, budget_id)
    WHERE due_at IS NOT NULL;

CREATE TABLE ff_budget_spend (
    budget_id     uuid NOT NULL,
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    counted_since bigint NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (budget_id, partition_key, execution_id)
);

CREATE INDEX ff_budget_counted
    ON ff_budget_spend (budget_id, counted_since, partition_key, execution_id);

CREATE TABLE ff_usage_key (
    budget_id  uuid NOT NULL,
    digest     text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    fixed      bytea NOT NULL,
    changing   bytea NOT NULL,
    PRIMARY KEY (budget_id, digest)
);

CREATE INDEX ff_usage_key_expiring
    ON ff_usage_key (budget_id, expires_at, digest);

CREATE TABLE ff_quota (
    partition_key   bigint NOT NULL,
    quota_policy_id uuid NOT NULL,
    fixed           bytea NOT NULL,
    changing        bytea NOT NULL,
    PRIMARY KEY (partition_key, quota_policy_id)
);

CREATE TABLE ff_quota_window (
    quota_policy_id uuid NOT NULL,
    dimension       text COLLATE "C" NOT NULL,
    oldest          bigint NOT NULL,
    fixed           bytea NOT NULL,
    changing        bytea NOT NULL,
    PRIMARY KEY (quota_policy_id, dimension)
);

CREATE INDEX ff_quota_oldest
    ON ff_quota_window (quota_policy_id, oldest, dimension);

CREATE TABLE ff_quota_place (
    quota_policy_id uuid NOT NULL,
    dimension       text COLLATE "C" NOT NULL,
    number          bigint NOT NULL,
    fixed           bytea NOT NULL,
    changing        bytea NOT NULL,
    PRIMARY KEY (quota_policy_id, dimension, number)
);

CREATE TABLE ff_quota_slot (
    quota_policy_id uuid NOT NULL,
    partition_key   bigint NOT NULL,
    execution_id    uuid NOT NULL,
    held_until      bigint NOT NULL,
    fixed           bytea NOT NULL,
    changing        bytea NOT NULL,
    PRIMARY KEY (quota_policy_id, partition_key, execution_id)
);

CREATE INDEX ff_quota_held
    ON ff_quota_slot (quota_policy_id, held_until, partition_key, execution_id);
