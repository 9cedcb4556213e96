-- Budgets, what is counted against them, quotas, and what is admitted under them.

ALTER TABLE ff_exec_core ADD COLUMN denied_by_budget BLOB;

CREATE INDEX ff_exec_denied
    ON ff_exec_core (partition_key, denied_by_budget, execution_id)
    WHERE denied_by_budget IS NOT NULL;

CREATE TABLE ff_budget (
    partition_key INTEGER NOT NULL,
    budget_id     BLOB NOT NULL,
    due_at        INTEGER,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, budget_id)
) WITHOUT ROWID;

CREATE INDEX ff_budget_due
    ON ff_budget (partition_key, due_at, budget_id)
    WHERE due_at IS NOT NULL;

CREATE TABLE ff_budget_spend (
    budget_id     BLOB NOT NULL,
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    counted_since INTEGER NOT NULL,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (budget_id, partition_key, execution_id)
) WITHOUT ROWID;

CREATE INDEX ff_budget_counted
    ON ff_budget_spend (budget_id, counted_since, partition_key, execution_id);

CREATE TABLE ff_usage_key (
    budget_id  BLOB NOT NULL,
    digest     TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    fixed      BLOB NOT NULL,
    changing   BLOB NOT NULL,
    PRIMARY KEY (budget_id, digest)
) WITHOUT ROWID;

CREATE INDEX ff_usage_key_expiring
    ON ff_usage_key (budget_id, expires_at, digest);

CREATE TABLE ff_quota (
    partition_key   INTEGER NOT NULL,
    quota_policy_id BLOB NOT NULL,
    fixed           BLOB NOT NULL,
    changing        BLOB NOT NULL,
    PRIMARY KEY (partition_key, quota_policy_id)
) WITHOUT ROWID;

CREATE TABLE ff_quota_window (
    quota_policy_id BLOB NOT NULL,
    dimension       TEXT NOT NULL,
    oldest          INTEGER NOT NULL,
    fixed           BLOB NOT NULL,
    changing        BLOB NOT NULL,
    PRIMARY KEY (quota_policy_id, dimension)
) WITHOUT ROWID;

CREATE INDEX ff_quota_oldest
    ON ff_quota_window (quota_policy_id, oldest, dimension);

CREATE TABLE ff_quota_place (
    quota_policy_id BLOB NOT NULL,
    dimension       TEXT NOT NULL,
    number          INTEGER NOT NULL,
    fixed           BLOB NOT NULL,
    changing        BLOB NOT NULL,
    PRIMARY KEY (quota_policy_id, dimension, number)
) WITHOUT ROWID;

CREATE TABLE ff_quota_slot (
    quota_policy_id BLOB NOT NULL,
    partition_key   INTEGER NOT NULL,
    execution_id    BLOB NOT NULL,
    held_until      INTEGER NOT NULL,
    fixed           BLOB NOT NULL,
    changing        BLOB NOT NULL,
    PRIMARY KEY (quota_policy_id, partition_key, execution_id)
) WITHOUT ROWID;

CREATE INDEX ff_quota_held
    ON ff_quota_slot (quota_policy_id, held_until, partition_key, execution_id);
