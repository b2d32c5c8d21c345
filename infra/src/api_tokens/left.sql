select token_id, workspace_id, account_id, ended_by from working.api_tokens
where ended_by is not null
order by token_id limit $1 offset $2
