select pg_is_in_recovery() as standby, l.sequence as last, d.sequence, d.kind, d.subject, d.class, d.number
from keyring.last_invalidation l
left join keyring.invalidations d on d.sequence > $1
order by d.sequence
