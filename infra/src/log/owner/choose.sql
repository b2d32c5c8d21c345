-- One reader to let go: a live node that knows it has at least two fewer.
select c.name, c.version from readers.checkpoints c
where c.node = $1 and exists (
  select from working.live_nodes n
  where n.part = 'readers' and n.node <> $1 and c.name || '/' || c.version = any(n.serves)
    and (select count(*) from readers.checkpoints o where o.node = n.node) + 2
      <= (select count(*) from readers.checkpoints o where o.node = $1))
order by c.name desc
limit 1
