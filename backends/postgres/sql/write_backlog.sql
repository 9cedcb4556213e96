INSERT INTO ff_cancel_backlog
SELECT * FROM jsonb_populate_recordset(NULL::ff_cancel_backlog, $1 -> 'backlog')
