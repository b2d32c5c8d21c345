-- One table of the nodes, and the same columns wherever a node holds a row: node, fence, lease_until.
-- A programme older than this migration does not work after it: stop its nodes first.

-- The parts of the nodes. Each part sends a heartbeat of its own: one that hangs loses what it holds, whatever the other
-- parts of its node do.
create table working.nodes (
  node        uuid        not null,
  part        text        not null check (part in ('readers', 'monitors')),
  serves      text[]      not null,                  -- the readers that it knows, as name/version
  lease_until timestamptz not null,                  -- by the database's clock
  primary key (node, part)
);
grant select, insert, update, delete on working.nodes to lethe_app;

-- What it means that a node lives.
create view working.live_nodes as
  select node, part, serves from working.nodes where lease_until > clock_timestamp();
grant select on working.live_nodes to lethe_app;

drop table readers.nodes;                            -- leases of some seconds
drop table working.monitor_nodes;                    -- the same

alter table readers.checkpoints rename column owner to node;
alter table readers.replays rename column owner to node;

-- A lease that is released keeps its row, and so its fence.
alter table readers.replays alter column node drop not null;
alter table readers.replays alter column lease_until drop not null;
alter table working.leader_leases rename column until to lease_until;
alter table working.leader_leases alter column node drop not null;
alter table working.leader_leases alter column lease_until drop not null;
alter table working.leader_leases add column fence bigint not null default 1;

-- Leases of the outbox were by the clock of the node; what had one is settled when it is over.
alter table working.outbox add column fence bigint not null default 0;
