select position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, actor, session,
  request, correlation, causation, subjects, data, sealed, recorded_at
from read_models.audit_trail
where position > $1 and position <= $2
  and ($3 is null or tenant_id = $3)
  and ($4 is null or stream_id = $4)
  and ($5 is null or actor = $5)
  and ($6 is null or event_type = $6)
  and ($7 is null or recorded_at >= $7)
  and ($8 is null or recorded_at < $8)
order by position
limit $9
