update working.outbox
set state = case via when 'folder' then 'queued' else 'unknown' end,
    finished_at = case via when 'folder' then null else $1::timestamptz end,
    next_at = $1, lease_until = null, trouble = 'the node that sent it has died'
where state = 'sending' and (lease_until <= clock_timestamp()
    -- The clock ran ahead.
    or lease_until > clock_timestamp() + 2 * make_interval(secs => case via when 'folder' then $2::float8 else $3 end))
returning state
