select account_id, tenant_id, version, email, email_verified, pending_email, pending_email_since, pending_email_until,
  name, username, consents, registered_at, unverified_used_at, erasure_requested_at, erasure_due, erased_at, position
from read_models.accounts_v4
where account_id = any ($1)
