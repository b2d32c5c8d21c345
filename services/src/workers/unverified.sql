-- A page of the accounts whose address nobody has verified, unused since $1, in the order of the index, from the first after
-- ($6, $7). Its notices are those of this period: nobody has used the account since, by a token of the API neither, and the log was not
-- restored since ($2). Whether something is due: no notice is under way, or less than a week old ($3), and nobody is signed in, has
-- used a token since $1, or has signed in since $5: a session that was open since may have been used. A notice counts as refused where the
-- address was (its kind is $9), and the server took another one's mail within a day of it: one that refuses everybody says nothing of an address.
select a.account_id, a.version, a.unverified_used_at, greatest(used.at, $2::timestamptz) as begins,
  notices.until, notices.is_sent, notices.refused,
  notices.are_over and used.at <= $1 and (not a.has_signed_in or a.unverified_used_at <= $5::timestamptz)
    and (select true from working.sessions s where s.account_id = a.account_id limit 1) is null
    as is_due
from (
  select account_id, version, unverified_used_at, unverified_used_at > registered_at as has_signed_in
  from read_models.accounts_v4
  where unverified_used_at <= $1 and (unverified_used_at, account_id) > ($6::timestamptz, $7::uuid)
  order by unverified_used_at, account_id
  limit $8) a
cross join lateral (
  select greatest(a.unverified_used_at, max(t.last_used_at)) as at
  from working.api_tokens t
  where t.account_id = a.account_id) used
cross join lateral (
  select max(o.until) as until,
    coalesce(bool_or(o.state = 'sent'), false) as is_sent,
    coalesce(bool_and(coalesce(o.finished_at, 'infinity') <= $3::timestamptz), true) as are_over,
    count(*) filter (where o.state = 'failed' and o.refusal = $9 and exists (
      select from working.outbox s
      where s.state = 'sent' and s.via = o.via and s.subject_id <> o.subject_id
        and s.finished_at between o.finished_at - interval '1 day' and o.finished_at + interval '1 day')) as refused
  from working.outbox o
  where o.subject_id = a.account_id and o.kind = $4 and o.created_at >= greatest(used.at, $2::timestamptz)) notices
order by a.unverified_used_at, a.account_id
