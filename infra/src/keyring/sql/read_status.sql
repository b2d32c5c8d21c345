select
  (select count(*) from keyring.keys where wrapped is not null) as live,
  (select count(*) from keyring.keys where wrapped is null) as destroyed,
  r.root_id, r.current_at,
  (select count(*) from keyring.roots where escrow = 'held') as escrowed,
  e.generation, e.created_at as generation_at
from keyring.roots r, keyring.email_generations e
where r.state = 'current' and e.state = 'live'
