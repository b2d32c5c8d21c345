-- How many bytes of logs each node has stored of a workspace on a day. What all nodes have stored is limited.
create table working.run_log_usage (
  workspace_id uuid   not null,
  day          date   not null,                      -- in UTC
  node         uuid   not null,
  bytes        bigint not null check (bytes >= 0),
  primary key (workspace_id, day, node)
);
create index run_log_usage_of_day on working.run_log_usage (day);
grant select, insert, update, delete on working.run_log_usage to lethe_app;
