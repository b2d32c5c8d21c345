create index on {table} (deletion_due) where deletion_due is not null and deleted_at is null
