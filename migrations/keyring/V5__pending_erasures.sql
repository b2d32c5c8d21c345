-- An erasure is entered before its request is appended to the log. While this is true, the log is not known to have
-- the request: only an erasure that the log had can have been lost by a restore of the log. The entries of an older
-- programme, which runs beside or ran before, count as appended.
alter table keyring.erasures add column append_pending boolean not null default false;
create index erasures_pending on keyring.erasures (requested_at) where append_pending and state = 'requested';
