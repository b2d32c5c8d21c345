delete from working.monitor_nodes where node = $1
