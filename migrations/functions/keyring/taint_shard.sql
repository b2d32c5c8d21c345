-- The trigger of the key table for a key that is erased: its shard key is tainted in the same transaction, and the row
-- gets the root of the shard key, which is final from then on. A rotation that wraps the shard key again is waited for.
create or replace function keyring.taint_shard() returns trigger language plpgsql as $$
declare
  last_root bigint;
begin
  update keyring.shards set state = 'tainted' where generation = old.generation and state = 'live'
  returning root_id into last_root;
  if last_root is null then
    select root_id into last_root from keyring.shards where generation = old.generation;
  end if;
  if last_root is null and current_setting('lethe.merging', true) is distinct from 'true' then
    raise exception 'the shard key of an erased key is missing' using errcode = 'restrict_violation';
  end if;
  new.generation := old.generation;
  new.root_id := greatest(new.root_id, old.root_id, last_root);
  return new;
end $$;

revoke all on function keyring.taint_shard from public;

create or replace trigger taint_shard before update on keyring.keys
  for each row when (old.wrapped is not null and new.wrapped is null and old.generation is not null)
  execute function keyring.taint_shard();
