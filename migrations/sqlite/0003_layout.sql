-- How many partitions of each family the deployment has.

CREATE TABLE ff_layout (
    family   TEXT NOT NULL PRIMARY KEY,
    fixed    BLOB NOT NULL,
    changing BLOB NOT NULL
) WITHOUT ROWID;
