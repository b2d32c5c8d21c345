-- An old root key is kept for a while after its last key was wrapped under its successor: its row says since when, and
-- from which place of the WAL on a standby has the keys under the successor. Meanwhile the next root may retire, too.
-- A programme older than this migration erases an old root key at once: stop its nodes first.
alter table keyring.roots add column rewrapped_at timestamptz;
alter table keyring.roots add column rewrapped_lsn pg_lsn;
drop index keyring.roots_one_in_each_state;
create unique index roots_one_new_one_current on keyring.roots (state) where state in ('new', 'current');
