select count(*) from unnest($1::uuid[]) subject
where exists (select from working.outbox o where o.subject_id = subject)
  or exists (
    select from working.invitations i
    join working.outbox o on o.subject_id = i.invitation_id
    where i.workspace_id = subject)
