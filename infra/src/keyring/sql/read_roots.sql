select root_id, state, fingerprint, current_at, escrow,
  exists (select from keyring.keys k where k.root_id = r.root_id and k.wrapped is not null) as wraps
from keyring.roots r
where state <> 'destroyed' or exists (select from keyring.keys k where k.root_id = r.root_id and k.wrapped is not null)
order by root_id
