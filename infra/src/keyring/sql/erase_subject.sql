insert into keyring.keys (kind, subject, class, number, created_at, destroyed_at)
select 'subject', $1, class, 1, $3, $3 from unnest($2::smallint[]) class
order by class
on conflict (kind, subject, class, number) do update set wrapped = null, destroyed_at = excluded.destroyed_at
  where keys.wrapped is not null
returning class, number
