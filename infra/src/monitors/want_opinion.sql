-- Where no other node lives, there is nobody to ask.
update working.server_monitors m
set opinion_wanted_at = clock_timestamp(), opinion_by = null, opinion = null
where m.server_id = $1 and m.fence = $2
  and exists (select from working.live_nodes n where n.part = 'monitors' and n.node <> m.node)
returning m.opinion_wanted_at
