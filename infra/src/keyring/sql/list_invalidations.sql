-- It writes to the WAL, and its commit waits as that of a key does: a server that is a standby or takes no
-- writes, or a primary whose synchronous standby has left it, renews no lease. No row is written, so nothing
-- grows while a dump holds the oldest snapshot.
with written as materialized (
  select case
    when current_setting('transaction_read_only')::boolean then null
    else pg_logical_emit_message(true, 'lethe.lease', '')
  end as place)
select written.place is null as standby, l.sequence as last, c.number as file, d.sequence, d.kind, d.subject, d.class, d.number
from written cross join keyring.last_invalidation l cross join keyring.copy c
left join keyring.invalidations d on d.sequence > $1
order by d.sequence
