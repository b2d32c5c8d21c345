-- A workspace is erased as a person is, and a restore brings back neither.
alter table keyring.erasures add column kind text not null default 'account'
  check (kind in ('account', 'workspace'));
