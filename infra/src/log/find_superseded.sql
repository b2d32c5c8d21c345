-- The older versions of these projections that no node has read or served for so long, and whose successor shows all that
-- they do. A lease that was released ended then.
select c.name, c.version
from unnest($1::text[], $2::smallint[]) of (name, version)
join readers.checkpoints newer using (name, version)
join readers.checkpoints c on c.name = of.name and c.version < of.version
where c.kind = 'projection' and newer.position >= c.position
  and greatest(c.updated_at, c.lease_until) < clock_timestamp() - make_interval(secs => $3)
  and not exists (
    select from working.live_nodes n where c.name || '/' || c.version = any (n.serves))
for update of c skip locked
