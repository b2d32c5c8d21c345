-- Takes the lock of the log until the transaction ends. Whoever writes to the log holds it until its
-- commit is visible, so that a reader always sees a prefix of the log.
create or replace function event_log.lock() returns void language sql as $$
  select pg_advisory_xact_lock('event_log.events'::regclass::bigint)
$$;

revoke all on function event_log.lock from public;
