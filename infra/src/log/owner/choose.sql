-- One reader to let go: a live node that has it owns at least two fewer.
select c.name, c.version from readers.checkpoints c
where c.owner = $1 and exists (
  select from readers.nodes n
  where n.node <> $1 and n.lease_until > clock_timestamp() and c.name || '/' || c.version = any(n.readers)
    and (select count(*) from readers.checkpoints o where o.owner = n.node) + 2
      <= (select count(*) from readers.checkpoints o where o.owner = $1))
order by c.name desc
limit 1
