-- What was delivered as a signal, and what became of tags; and for every event which transaction it is of, so that readers
-- know what has committed since they last looked, and the tags that it is filtered by.

CREATE TABLE ff_signal_event (
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    event         bytea NOT NULL
);

CREATE TABLE ff_tag_event (
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition_key bigint NOT NULL,
    execution_id  uuid NOT NULL,
    event         bytea NOT NULL
);

ALTER TABLE ff_completion_event
    ADD COLUMN tags bytea,
    ADD COLUMN of_transaction xid8 NOT NULL DEFAULT pg_current_xact_id();

ALTER TABLE ff_lease_event
    ADD COLUMN tags bytea,
    ADD COLUMN of_transaction xid8 NOT NULL DEFAULT pg_current_xact_id();

ALTER TABLE ff_signal_event
    ADD COLUMN tags bytea,
    ADD COLUMN of_transaction xid8 NOT NULL DEFAULT pg_current_xact_id();

ALTER TABLE ff_tag_event
    ADD COLUMN tags bytea,
    ADD COLUMN of_transaction xid8 NOT NULL DEFAULT pg_current_xact_id();

CREATE INDEX ff_completion_event_of ON ff_completion_event (of_transaction);
CREATE INDEX ff_lease_event_of ON ff_lease_event (of_transaction);
CREATE INDEX ff_signal_event_of ON ff_signal_event (of_transaction);
CREATE INDEX ff_tag_event_of ON ff_tag_event (of_transaction);
