select owner from event_log.reservations
where kind in ($1, $2) and ($3::uuid is null or owner > $3)
group by owner
having count(*) filter (where kind = $1) > count(*) filter (where kind = $2)
order by owner
limit $4
