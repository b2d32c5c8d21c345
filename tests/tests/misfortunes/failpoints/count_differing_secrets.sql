-- The newest secret that the log names for a token has a row, and no other row is there that the log does not name.
with named as (
  select distinct on (token) data::jsonb->>'token' as token, data::jsonb->>'secret' as secret
  from event_log.events where event_type = 'workspace.api_token_rotated'
  order by token, position desc
)
select count(*) from (
  select from working.api_tokens t
  left join named n on n.token = t.token_id::text
  where not exists (
    select from working.api_token_secrets s
    where s.token_id = t.token_id and s.secret_id::text = coalesce(n.secret, t.token_id::text))
  union all
  select from working.api_token_secrets s
  where s.secret_id <> s.token_id and not exists (
    select from event_log.events
    where event_type = 'workspace.api_token_rotated' and data::jsonb->>'secret' = s.secret_id::text)
) differing
