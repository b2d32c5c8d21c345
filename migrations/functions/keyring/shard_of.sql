-- The shard of a subject. The answer for a subject never changes.
create or replace function keyring.shard_of(subject uuid) returns int
language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
  select (get_byte(sha256(uuid_send(subject)), 0) << 8 | get_byte(sha256(uuid_send(subject)), 1)) & 16383
$$;

revoke all on function keyring.shard_of from public;
grant execute on function keyring.shard_of to lethe_app;
