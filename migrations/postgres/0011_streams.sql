-- The streams of attempts, their frames, and the documents that summary frames make.

CREATE TABLE ff_stream (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    attempt_index bigint NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_index)
);

CREATE TABLE ff_stream_frame (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    attempt_index bigint NOT NULL,
    frame_number  bigint NOT NULL,
    appended_at   bigint NOT NULL,
    lasting_at    bigint,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_index, frame_number)
);

CREATE INDEX ff_stream_placed
    ON ff_stream_frame (partition_key, execution_id, attempt_index, appended_at, frame_number);

CREATE INDEX ff_stream_lasting
    ON ff_stream_frame (partition_key, execution_id, attempt_index, lasting_at, frame_number)
    WHERE lasting_at IS NOT NULL;

CREATE TABLE ff_stream_summary (
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    attempt_index bigint NOT NULL,
    fixed         bytea NOT NULL,
    changing      bytea NOT NULL,
    PRIMARY KEY (partition_key, execution_id, attempt_index)
);
