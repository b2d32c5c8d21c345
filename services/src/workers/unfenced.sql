select s from unnest($1::uuid[]) s
where not exists (select from event_log.fences where subject = s)
