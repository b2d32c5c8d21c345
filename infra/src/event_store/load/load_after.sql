-- The events of a stream after a version that stands at the position $5: partitions before it are not opened. No nearer to
-- it than where the log's recent part begins, or a plan might read all that was appended since.
-- `(select $1)`: no plan can rest on the values, else one would be made for each load. Versions have both bounds, of which
-- a plan expects few rows: where it knows neither value, one bound is a third of the stream.
select version, event_type, schema_version, data, sealed, position, event_id
from event_log.events
where stream_id = (select $1::uuid) and version > (select $4::bigint) and version <= (select 9223372036854775807)
  and (tenant_id, stream_type) = ($2, $3)
  and position >= least($5, event_log.recent_from())
order by version
