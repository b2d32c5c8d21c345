-- The keyring is copied to a folder outside the data directory (infra/src/keyring/copy). Each file of the copy holds the
-- rows that transactions have changed which the snapshot of the file before did not show. Rows from before this migration
-- are in the first file, which holds all.
-- A programme older than this migration erases an old root key before the copy holds what replaces it:
-- stop its nodes first.
alter table keyring.keys add column changed_by xid8 not null default '0';
alter table keyring.keys alter column changed_by set default pg_current_xact_id();
create index keys_changed on keyring.keys (changed_by) where changed_by > '0';
alter table keyring.erasures add column changed_by xid8 not null default '0';
alter table keyring.erasures alter column changed_by set default pg_current_xact_id();
create index erasures_changed on keyring.erasures (changed_by) where changed_by > '0';
alter table keyring.roots add column changed_by xid8 not null default '0';
alter table keyring.roots alter column changed_by set default pg_current_xact_id();
alter table keyring.email_generations add column changed_by xid8 not null default '0';
alter table keyring.email_generations alter column changed_by set default pg_current_xact_id();

-- Whether a copy was made after the last key was wrapped under the next root.
alter table keyring.roots add column copied boolean not null default false;

-- One row: where the copy is. A keyring that is behind its copy went back.
create table keyring.copy (
  keyring       uuid        not null default gen_random_uuid(),  -- the name of its folder
  number        bigint      not null default 0,                  -- of the last file that was begun
  token         uuid,                                            -- stands in that file
  written       bigint      not null default 0,                  -- of the last file that is complete
  written_token uuid,
  complete_at   timestamptz,                                     -- the copy has every change until then
  writing_until timestamptz                                      -- meanwhile nobody else writes
);
insert into keyring.copy default values;
grant select, update on keyring.copy to lethe_app;
