-- The newest first; of those that have ended as many as there is room for. One that the reader writes stands where its
-- checkpoint does.
select g.name, g.version, g.generation, g.state,
  case when g.state in ('joined', 'live', 'kept') then coalesce(c.position, g.position) else g.position end,
  g.ceiling, g.build, g.node, g.requested_at, g.built_at, g.live_at, g.ended_at, g.keep_until,
  (select count(*) from readers.parked p
    where (p.reader, p.version, p.generation) = (g.name, g.version, g.generation)),
  coalesce(pg_total_relation_size(to_regclass(
    format('read_models.%I', format('%s_v%s_g%s', g.name, g.version, g.generation)))), 0),
  g.error
from (
  select * from readers.generations
  where name = $1
  order by state in ('dropped', 'cancelled', 'failed'), version desc, generation desc
  limit 100) g
left join readers.checkpoints c on (c.name, c.version) = (g.name, g.version)
order by g.version desc, g.generation desc
