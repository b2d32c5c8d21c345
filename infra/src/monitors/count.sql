-- How many servers each live node has, and how many none of them has.
select n.node, count(m.server_id) from working.live_nodes n
left join working.server_monitors m on m.node = n.node
where n.part = 'monitors'
group by n.node
union all
select null, count(*) from working.server_monitors m
where m.stopped_at is null
  and not exists (select from working.live_nodes n where n.part = 'monitors' and n.node = m.node)
