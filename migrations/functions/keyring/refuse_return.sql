-- The trigger of the key table: a destroyed key is never given bytes again, and no row is deleted.
create or replace function keyring.refuse_return() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
    or (old.wrapped is null
      and (new.wrapped is not null or new.root_id is distinct from old.root_id)) then
    raise exception 'a destroyed key stays destroyed' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

revoke all on function keyring.refuse_return from public;
