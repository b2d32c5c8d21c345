select state, count(*) from working.outbox group by state
