delete from working.monitor_nodes where until < clock_timestamp() - interval '1 minute'
