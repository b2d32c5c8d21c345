select stream_id from event_log.events e
where event_type in ('account.erasure_requested', 'workspace.deletion_requested')
  and not exists (
    select from event_log.events o
    where o.stream_id = e.stream_id and o.version > e.version
      and o.event_type in ('account.erasure_completed', 'account.erasure_cancelled',
        'workspace.deleted', 'workspace.deletion_cancelled'))
order by stream_id
