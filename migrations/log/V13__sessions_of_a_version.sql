-- The version of the account that a sign-in was decided on: an event up to it does not close the session, also while its
-- opening event is still being appended. Null: opened by an older version of Lethe.
alter table working.sessions add column account_version bigint;
