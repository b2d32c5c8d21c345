insert into keyring.keys (kind, subject, class, number, created_at, destroyed_at)
values ($1, $2, $3, $4, $5, $5)
on conflict (kind, subject, class, number) do update set wrapped = null, destroyed_at = excluded.destroyed_at
  where keys.wrapped is not null
