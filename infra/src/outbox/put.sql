-- $10: so many of a kind within a day, to one person and about one thing. The rows stay for longer.
insert into working.outbox (mail_id, cause, kind, tenant_id, subject_id, address, proof_id, until,
  next_at, created_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $9
where not exists (select from event_log.fences where subject = $5)
  and ($10::bigint is null or $10 > (
    select count(*) from working.outbox
    where subject_id = $5 and kind = $3 and proof_id is not distinct from $7
      and created_at > $9::timestamptz - interval '1 day'))
on conflict do nothing
