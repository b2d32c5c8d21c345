-- The shard of a subject. The answer for a subject never changes. Without settings of its own, so that statements take
-- its expression in; the names in it were looked up when it was created.
create or replace function keyring.shard_of(subject uuid) returns int
language sql immutable strict parallel safe
return (get_byte(sha256(uuid_send(subject)), 0) << 8 | get_byte(sha256(uuid_send(subject)), 1)) & 16383;

revoke all on function keyring.shard_of from public;
grant execute on function keyring.shard_of to lethe_app;
