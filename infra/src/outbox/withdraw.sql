-- The mails of an erased subject. One that is being sent stays until its sender, or the end of its lease, ends it.
update working.outbox
set state = case when state in ('queued', 'sending') then 'failed' else state end,
    trouble = case when state in ('queued', 'sending') then 'the person is erased' else trouble end,
    finished_at = coalesce(finished_at, $2), lease_until = null
where subject_id = $1 and (state <> 'sending' or lease_until <= clock_timestamp())
returning mail_id, via
