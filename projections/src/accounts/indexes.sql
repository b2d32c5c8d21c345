create index on {table} (erasure_due) where erasure_due is not null and erased_at is null;
create index on {table} (registered_at) where not email_verified and erasure_due is null and erased_at is null
