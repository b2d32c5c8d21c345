-- Indexes for what must not cost more as tables grow.

-- Of working.claim_run_tasks: the queue of each workspace, and of each of its servers and deployments; what occupies a
-- server. The nil id stands for a run without a deployment.
create index run_tasks_waiting on working.run_tasks (workspace_id, queued_at, run_id, server_id)
  where state = 'queued';
create index run_tasks_waiting_by_server on working.run_tasks
  (workspace_id, server_id, coalesce(deployment_id, '00000000-0000-0000-0000-000000000000'), queued_at, run_id)
  where state = 'queued';
create index run_tasks_cancelled on working.run_tasks (queued_at) where state = 'queued' and cancel;
create index run_tasks_begun on working.run_tasks (server_id, deployment_id) where state in ('running', 'lost');

-- Streams that an operator has released: each node looks for them every two seconds.
create index parked_released on readers.parked (reader, version) where released_at is not null and not replay;

-- Of the gauge of the outbox.
create index outbox_failed on working.outbox (state) where state in ('failed', 'unknown');
