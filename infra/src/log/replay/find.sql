select position, ceiling from readers.replays where name = $1 and version = $2
