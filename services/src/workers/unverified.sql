-- Those that nobody had verified by then. An index of the table has them.
select account_id from read_models.accounts_v3
where not email_verified and erasure_due is null and erased_at is null and registered_at <= $1
order by registered_at, account_id
limit $2 offset $3
