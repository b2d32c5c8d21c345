-- Only the first event of an append has the command's id.
select exists (
  select from event_log.events ended
  join event_log.events before on before.position = ended.position - 1 and before.stream_id = ended.stream_id
  where ended.position = $1 and ended.command_id is null and before.event_type = 'account.password_changed')
