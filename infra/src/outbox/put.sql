insert into working.outbox (mail_id, cause, kind, tenant_id, subject_id, address, proof_id, until,
  next_at, created_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $9
where not exists (select from event_log.fences where subject = $5)
on conflict do nothing
