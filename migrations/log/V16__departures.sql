-- Who was erased and may still be a member of workspaces: a row from the fence until the read models show no membership.
create table working.departures (
  account_id uuid   primary key,
  position   bigint not null                  -- of the fence: no later event makes it a member
);
grant select, delete on working.departures to lethe_app;
insert into working.departures select subject, position from event_log.fences;
