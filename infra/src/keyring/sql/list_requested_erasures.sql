select * from keyring.erasures
where state = 'requested' and due >= coalesce($1::timestamptz, '-infinity')
  and (due, subject) > (coalesce($1::timestamptz, '-infinity'), coalesce($2::uuid, '00000000-0000-0000-0000-000000000000'))
order by due, subject
limit $3
