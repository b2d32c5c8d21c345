-- The list of keys that no node may use from memory any more has the name that the code uses. No row is lost.
-- A programme older than this migration opens nothing after it: stop its nodes first.
alter table keyring.dropped rename to invalidations;
alter table keyring.invalidations rename constraint dropped_pkey to invalidations_pkey;
alter table keyring.invalidations rename column dropped_at to invalidated_at;
alter table keyring.last_dropped rename to last_invalidation;
