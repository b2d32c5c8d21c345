insert into working.invitations (invitation_id, workspace_id, until)
select $1::uuid, $2::uuid, $3::timestamptz
where not exists (select from event_log.fences where subject = $2)
on conflict do nothing
