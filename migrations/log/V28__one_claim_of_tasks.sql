-- A programme older than this migration does not work after it: stop its nodes first. It cannot read a workspace that has
-- one of the new events, and would claim mails that it does not know.
--
-- `working.claim_run_tasks_after` claims tasks. Nodes of a version before V25 called this one, which V27 has stopped: one
-- that runs on all the same claims no task, so that it neither starts nor gives up one of a workspace that is being erased.
drop function working.claim_run_tasks(uuid, int, float8, int, int);
delete from event_log.function_revisions where name = 'working.claim_run_tasks';
