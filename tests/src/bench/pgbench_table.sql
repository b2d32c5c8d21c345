drop table if exists rival;
drop sequence if exists rival_position;
create table rival (like event_log.events including all);
create sequence rival_position;
create unique index on rival (stream_id, version);
create unique index on rival (tenant_id, command_id) where command_id is not null;
