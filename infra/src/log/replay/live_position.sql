select position from readers.checkpoints where name = $1 and version = $2
