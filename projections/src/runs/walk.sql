-- The places of runs, which the index has.
select requested_at, run_id
from read_models.runs_v2
where tenant_id = $1
  and (requested_at, run_id) > ($2, $3) and (requested_at, run_id) < ($4, $5)
