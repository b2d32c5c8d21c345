update working.outbox
set state = case via when 'folder' then 'queued' else 'unknown' end,
    finished_at = case via when 'folder' then null else $1::timestamptz end,
    next_at = $1, lease_until = null, trouble = 'the node that sent it has died'
where state = 'sending' and lease_until <= clock_timestamp()
returning state
