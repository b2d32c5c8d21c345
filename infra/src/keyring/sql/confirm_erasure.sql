-- Also one that was taken back because its request came into the log too late; unless another one is open now.
update keyring.erasures e
set state = 'requested', cancelled_at = null, append_pending = false, due = $2
where claim_code_hash = $1 and append_pending and state in ('requested', 'cancelled')
  and not exists (
    select from keyring.erasures other
    where other.subject = e.subject and other.state <> 'cancelled' and other.claim_code_hash <> $1)
