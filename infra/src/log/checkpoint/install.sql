-- Its view was not there: nothing of what it has read is left.
insert into readers.checkpoints as c (name, version, kind, generation) values ($1, $2, $3, $4)
on conflict (name, version) do update
set position = 0, processed = 0, last_event_at = null, fence = c.fence + 1, node = null, lease_until = null,
  generation = excluded.generation
