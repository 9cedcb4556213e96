-- What was delivered as a signal, and what became of tags.

CREATE TABLE ff_signal_event (
    event_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    event         BLOB NOT NULL
);

CREATE TABLE ff_tag_event (
    event_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    event         BLOB NOT NULL
);
