-- The secrets that sign the tokens of a partition's waitpoints.

CREATE TABLE ff_waitpoint_secret (
    partition_key INTEGER NOT NULL PRIMARY KEY,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL
) WITHOUT ROWID;
