select account_id from read_models.accounts
where erasure_due <= $1 and erased_at is null
order by erasure_due
limit $2
