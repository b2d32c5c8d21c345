-- The words that the code uses: reservations, leader leases, workers, partitions. No row is lost.
-- A programme older than this migration does not work after it: stop its nodes first.

alter table event_log.claims rename to reservations;
alter table event_log.reservations rename constraint claims_pkey to reservations_pkey;
alter index event_log.claims_owner_idx rename to reservations_owner_idx;
alter type event_log.new_claim rename to new_reservation;
alter type event_log.outcome rename value 'claimed' to 'reserved';

alter table working.turns rename to leader_leases;
alter table working.leader_leases rename constraint turns_pkey to leader_leases_pkey;

alter table readers.checkpoints drop constraint checkpoints_kind_check;
update readers.checkpoints set kind = 'worker' where kind = 'duty';
alter table readers.checkpoints
  add constraint checkpoints_kind_check check (kind in ('projection', 'worker'));

-- Their successors, and all other functions, stand in migrations/functions.
drop function event_log.extend_ahead(bigint);              -- create_partitions_ahead
drop function event_log.extend(bigint, bigint);            -- create_partition
drop function event_log.room();                            -- partitions_end
drop function event_log.reclaim(text, bytea, text, bytea, uuid);  -- reserve_again
drop function event_log.release_generation(text);          -- delete_reservations
drop function working.extend_samples(date, integer);       -- create_sample_partitions
drop function working.drop_samples(date);                  -- drop_sample_partitions
drop function working.make_run_log_days(date, date);       -- create_run_log_partitions
drop function working.drop_run_log_days(date);             -- drop_run_log_partitions
