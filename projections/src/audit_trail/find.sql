-- The positions of the next page. What is null filters nothing.
select position
from read_models.audit_trail_v2
where position > $1 and position <= $2
  and ($3 is null or tenant_id = $3)
  and ($4 is null or actor = $4)
  and ($5 is null or event_type = $5)
  and ($6 is null or recorded_at >= $6)
  and ($7 is null or recorded_at < $7)
