create index on {table} (erasure_due) where erasure_due is not null and erased_at is null
