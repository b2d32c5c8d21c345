-- A page of the accounts whose address nobody has verified, unused since $1, in the order of the index. A notice is one of this
-- period: nobody has used the account since, and the log was not restored since ($2). Whether something is due: no notice is
-- under way, or less than a week old, and nobody is signed in or has used an API token.
select a.account_id, a.version, a.unverified_used_at, a.begins, notices.number, notices.is_sent,
  notices.are_over
    and (select true from working.sessions s where s.account_id = a.account_id limit 1) is null
    and (select true from working.api_tokens t where t.account_id = a.account_id and t.last_used_at > $1 limit 1) is null
    as is_due
from (
  select account_id, version, unverified_used_at, greatest(unverified_used_at, $2::timestamptz) as begins
  from read_models.accounts_v4
  where unverified_used_at <= $1 and (unverified_used_at, account_id) > ($5::timestamptz, $6::uuid)
  order by unverified_used_at, account_id
  limit $7) a
cross join lateral (
  select count(*) as number,
    coalesce(bool_or(o.state = 'sent'), false) as is_sent,
    coalesce(bool_and(coalesce(o.finished_at, 'infinity') <= $3::timestamptz), true) as are_over
  from working.outbox o
  where o.subject_id = a.account_id and o.kind = $4 and o.created_at >= a.begins) notices
order by a.unverified_used_at, a.account_id
