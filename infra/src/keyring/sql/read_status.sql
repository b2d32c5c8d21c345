-- Up to 1,000 keys are counted, in the order of an index: without an order PostgreSQL may choose to read the table, and
-- those it looks for may stand at its end. Beyond, the answer is what PostgreSQL estimated when it last vacuumed or
-- analysed the table.
with counted as (
  select
    (select count(*) from (
      select from keyring.keys where wrapped is not null order by root_id limit 1000) keys) as live,
    (select count(*) from (
      select from keyring.keys where wrapped is null order by destroyed_at limit 1000) keys) as erased,
    (select count(*) from (
      select from keyring.keys where wrapped is not null and root_id > 0
      order by root_id limit 1000) keys) as under_roots
), shards as materialized (
  select count(*) filter (where state = 'live') as live, count(*) filter (where state = 'tainted') as tainted
  from keyring.shards)
select
  case when counted.live < 1000 then counted.live else greatest(counted.live, (
    select reltuples::bigint from pg_class where oid = 'keyring.keys_by_root'::regclass)) end as live,
  case when erased < 1000 then erased else greatest(erased, (
    select reltuples::bigint from pg_class where oid = 'keyring.keys_erased'::regclass)) end as destroyed,
  case when under_roots < 1000 then under_roots else greatest(under_roots, (
    select sum(case when relname = 'keys_by_root' then reltuples else -reltuples end)::bigint from pg_class
    where oid in ('keyring.keys_by_root'::regclass, 'keyring.keys_by_shard'::regclass))) end as under_roots,
  shards.live as live_shards, shards.tainted as tainted_shards,
  r.root_id, r.current_at,
  (select count(*) from keyring.roots where escrow = 'held' and (state <> 'destroyed' or escrow = 'held')) as escrowed,
  e.generation, e.created_at as generation_at,
  -- None for a time of the future: a clock that ran ahead has written it.
  (select extract(epoch from clock_timestamp() - complete_at)::float8 from keyring.copy
    where complete_at <= clock_timestamp() + interval '1 minute') as copy_seconds
from counted, shards, keyring.roots r, keyring.email_generations e
where r.state = 'current' and e.state = 'live'
