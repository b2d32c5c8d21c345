update readers.replays set indexed = true where name = $1 and version = $2 and fence = $3
