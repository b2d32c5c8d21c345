-- A node that was started before the last restore knows nothing of the present log.
insert into keyring.watermark as w (position, event_id, noticed_at, lost_through)
values ($1, $2, clock_timestamp(), $1)
on conflict (only_row) do update
set noticed_at = coalesce(w.noticed_at, excluded.noticed_at),
  lost_through = greatest(w.lost_through, w.position, excluded.lost_through)
where w.restores = $3
