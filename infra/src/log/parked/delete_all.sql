delete from readers.parked where reader = $1 and version = $2
