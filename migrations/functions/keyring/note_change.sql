-- Which transaction has changed a row last, for the copy of the keyring. A key that is wrapped under another root has not
-- changed, nor a key under another shard key: the old roots are kept until a new copy holds all under the new one.
create or replace function keyring.note_change() returns trigger language plpgsql as $$
begin
  new.changed_by := pg_current_xact_id();
  return new;
end $$;

revoke all on function keyring.note_change from public;

create or replace trigger note_change before update on keyring.keys
  for each row when (new.wrapped is null) execute function keyring.note_change();
create or replace trigger note_change before update on keyring.erasures
  for each row execute function keyring.note_change();
create or replace trigger note_change before update on keyring.roots
  for each row execute function keyring.note_change();
create or replace trigger note_change before update on keyring.email_generations
  for each row execute function keyring.note_change();
create or replace trigger note_change before update on keyring.shards
  for each row when (new.state is distinct from old.state) execute function keyring.note_change();
