-- The events of a stream after a version that stands at the position $5: partitions before it are not opened. No nearer to
-- it than where the log's recent part begins, or a plan might read all that was appended since.
select version, event_type, schema_version, data, sealed, position, event_id
from event_log.events
where stream_id = $1 and version > $4 and (tenant_id, stream_type) = ($2, $3)
  and position >= least($5, event_log.recent_from())
order by version
