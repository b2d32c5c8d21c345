update readers.checkpoints set last_error = $5
where name = $1 and version = $2 and owner = $3 and fence = $4
