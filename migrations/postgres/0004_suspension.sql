-- The secrets that sign the tokens of a partition's waitpoints.

CREATE TABLE ff_waitpoint_secret (
    partition_key bigint NOT NULL PRIMARY KEY,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL
);
