select workspace_id, seat_limit, limit_cause, limit_event_id, limit_position, limit_set_at, limit_actor, leases, position
from read_models.seat_pools
where workspace_id = $1
