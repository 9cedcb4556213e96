-- Attempts that may go on, in queues like those of fresh work, and all that waits in a partition.

ALTER TABLE ff_exec_core ADD COLUMN resumable_lane text COLLATE "C";
ALTER TABLE ff_exec_core ADD COLUMN resumable_requirements text COLLATE "C";
ALTER TABLE ff_exec_core ADD COLUMN waiting_lane text COLLATE "C";

CREATE INDEX ff_exec_resumable
    ON ff_exec_core
    (resumable_lane, md5(resumable_requirements), queue_rank, queue_age, partition_key, execution_id)
    WHERE resumable_lane IS NOT NULL;

CREATE INDEX ff_exec_waiting
    ON ff_exec_core (partition_key, waiting_lane, queue_rank, queue_age, execution_id)
    WHERE waiting_lane IS NOT NULL;
