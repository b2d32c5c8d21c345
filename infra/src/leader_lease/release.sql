delete from working.turns where node = $1
