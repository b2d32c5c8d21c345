-- The tasks of a workspace that may have processes on their servers: they are ended before its keys are erased. An attempt
-- that is lost is forgotten once a later one is requested.
create index run_tasks_begun_of_workspace on working.run_tasks (workspace_id)
  where state in ('running', 'lost') or attempt > 1;

-- Queued tasks of a workspace whose deletion is requested are set aside ('paused'), where no claim looks at them.
create index run_tasks_paused on working.run_tasks (workspace_id, queued_at) where state = 'paused';
