delete from readers.replays where name = $1 and version = $2 and fence = $3
