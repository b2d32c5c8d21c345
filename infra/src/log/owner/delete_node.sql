delete from readers.nodes where node = $1
