select server_id, workspace_id, fence, failures, failing_since from working.server_monitors
where node = $1
