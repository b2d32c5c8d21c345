-- $5 and $6: the mark that the caller has compared with the log, null where there was no row. Another mark is not
-- replaced: it may be of an event that this log lacks. A row of fewer restores is of a keyring that went back.
insert into keyring.watermark as w (position, event_id, restores, restored_through) values ($1, $2, $3, $4)
on conflict (only_row) do update
set position = excluded.position, event_id = excluded.event_id, restores = excluded.restores,
  restored_through = case when w.restores < excluded.restores then excluded.restored_through
    else w.restored_through end
where w.position = $5 and w.event_id = $6 and w.restores <= excluded.restores and w.noticed_at is null
