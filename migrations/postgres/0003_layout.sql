-- How many partitions of each family the deployment has.

CREATE TABLE ff_layout (
    family   text COLLATE "C" NOT NULL PRIMARY KEY,
    fixed    bytea NOT NULL,
    changing bytea NOT NULL
);
