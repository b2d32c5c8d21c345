-- The keyring that this log belongs to: the id in keyring.copy of the keyring's database. One row, made by the first start
-- of an installation; without it an empty log would look like one that is lost, and a keyring like another one.
create table event_log.installation (
  only_row boolean primary key default true check (only_row),
  id       uuid    not null
);
grant select on event_log.installation to lethe_app;
