-- The streams of attempts, their frames, and the documents that summary frames make.

CREATE TABLE ff_stream (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    attempt_index INTEGER NOT NULL,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_index)
) WITHOUT ROWID;

CREATE TABLE ff_stream_frame (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    attempt_index INTEGER NOT NULL,
    frame_number  INTEGER NOT NULL,
    appended_at   INTEGER NOT NULL,
    lasting_at    INTEGER,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_index, frame_number)
) WITHOUT ROWID;

CREATE INDEX ff_stream_placed
    ON ff_stream_frame (partition_key, execution_id, attempt_index, appended_at, frame_number);

CREATE INDEX ff_stream_lasting
    ON ff_stream_frame (partition_key, execution_id, attempt_index, lasting_at, frame_number)
    WHERE lasting_at IS NOT NULL;

CREATE TABLE ff_stream_summary (
    partition_key INTEGER NOT NULL,
    execution_id  BLOB NOT NULL,
    attempt_index INTEGER NOT NULL,
    fixed         BLOB NOT NULL,
    changing      BLOB NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_index)
) WITHOUT ROWID;
