-- The runs of a workspace, for its erasure: it deletes them in batches.
create index run_tasks_of_workspace on working.run_tasks (workspace_id, run_id);
create index run_secrets_of_workspace on working.run_secrets (workspace_id, secrets_id);
create index on working.run_log_chunks (workspace_id, run_id);
