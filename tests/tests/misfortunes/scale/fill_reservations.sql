-- Spread as MACs are, and in their order.
insert into event_log.reservations (kind, blind_index, owner)
select $1, decode(lpad(to_hex(n * 4294967295 / $2), 8, '0') || repeat('5a', 28), 'hex'), ('1' || lpad(to_hex(n), 31, '0'))::uuid
from generate_series(1, $2::bigint) n
