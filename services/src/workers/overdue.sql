select account_id from read_models.accounts_v4
where erasure_due <= $1 and erased_at is null
order by erasure_due, account_id
limit $2 offset $3
