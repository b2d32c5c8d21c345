-- The trigger of the shard keys: one that is not live is never wrapped again nor live again, and one that may wrap live
-- keys is not deleted. A restore of the keyring merges what was so elsewhere.
create or replace function keyring.refuse_rewrap() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    if old.state <> 'replaced' then
      raise exception 'a shard key that wraps keys is not deleted' using errcode = 'restrict_violation';
    end if;
    return old;
  end if;
  if current_setting('lethe.merging', true) is distinct from 'true'
    and (new.root_id < old.root_id
      or old.state <> 'live' and (new.state = 'live' or new.root_id <> old.root_id or new.wrapped <> old.wrapped)
      or old.state = 'replaced' and new.state <> 'replaced') then
    raise exception 'a shard key that is not live is never wrapped again' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

revoke all on function keyring.refuse_rewrap from public;

create or replace trigger refuse_rewrap before update or delete on keyring.shards
  for each row execute function keyring.refuse_rewrap();
