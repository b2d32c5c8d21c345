-- The second query sees the row as it was before: a node that was started before a restore learns of it.
with raised as (
  insert into keyring.watermark as w (position, event_id) values ($1, $2)
  on conflict (only_row) do update set position = excluded.position, event_id = excluded.event_id
  where w.restores = $3 and w.noticed_at is null and w.position < excluded.position)
select restores, noticed_at is not null as noticed from keyring.watermark
