-- A node that was started before the last restore knows nothing of the present log. A row of fewer restores is of a
-- keyring that went back, too: what this node knows is newer.
insert into keyring.watermark as w (position, event_id, restores, restored_through, noticed_at, lost_through)
values ($1, $2, $3, $4, clock_timestamp(), $1)
on conflict (only_row) do update
set noticed_at = coalesce(w.noticed_at, excluded.noticed_at), restores = excluded.restores,
  restored_through = case when w.restores < excluded.restores then excluded.restored_through
    else w.restored_through end,
  lost_through = greatest(w.lost_through, w.position, excluded.lost_through)
where w.restores <= excluded.restores
