select exists (
    select from keyring.erasures where append_pending and state = 'requested' and requested_at <= $1)
  or exists (
    select from keyring.erasures where state in ('requested', 'fenced', 'destroyed') and due <= $2)
  or exists (
    select from keyring.erasures e
    where state = 'completed' and not exists (
      select from keyring.roots r where r.root_id <= e.last_root and (r.state <> 'destroyed' or r.escrow = 'held')))
