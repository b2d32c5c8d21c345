insert into keyring.email_generations as g (generation, state, created_at, changed_at)
select generation, state, created_at, changed_at
from json_populate_recordset(null::keyring.email_generations, $1::text::json)
order by generation
on conflict (generation) do update set state = excluded.state, changed_at = excluded.changed_at
where array_position('{writing,live,retiring,destroyed}', excluded.state)
  >= array_position('{writing,live,retiring,destroyed}', g.state)
