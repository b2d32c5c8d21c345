-- The first position of the log's recent part: whole partitions that hold the last 30 days, and the head.
-- `move_recent_from` replaces this function. Its number stands in each plan, so that partitions before it are not even
-- opened, and its replacement ends such plans.
-- Nothing may depend on the number being right but the age of command ids: what is found from it on is the newest of
-- its stream, and where nothing is found, the rest of the log has to be looked at.
create or replace function event_log.recent_from() returns bigint language sql stable as 'select 1::bigint';

revoke all on function event_log.recent_from from public;
grant execute on function event_log.recent_from to lethe_app;
