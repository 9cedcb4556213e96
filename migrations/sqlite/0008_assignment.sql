-- Attempts that may go on, in queues like those of fresh work, and all that waits in a partition.

ALTER TABLE ff_exec_core ADD COLUMN resumable_lane TEXT;
ALTER TABLE ff_exec_core ADD COLUMN resumable_requirements TEXT;
ALTER TABLE ff_exec_core ADD COLUMN waiting_lane TEXT;

CREATE INDEX ff_exec_resumable
    ON ff_exec_core
    (resumable_lane, resumable_requirements, queue_rank, queue_age, partition_key, execution_id)
    WHERE resumable_lane IS NOT NULL;

CREATE INDEX ff_exec_waiting
    ON ff_exec_core (partition_key, waiting_lane, queue_rank, queue_age, execution_id)
    WHERE waiting_lane IS NOT NULL;
