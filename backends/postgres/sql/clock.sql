-- The server's clock in Unix milliseconds, at this moment and not at the transaction's start.
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
