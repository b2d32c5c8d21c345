-- A page of the streams after $1; answers the last of them. Deleted rows that are not vacuumed are not walked again.
with page as (
  select stream_id from event_log.snapshots where stream_id > $1 order by stream_id limit $2),
gone as (
  delete from event_log.snapshots s using page where s.stream_id = page.stream_id)
select stream_id from page order by stream_id desc limit 1
