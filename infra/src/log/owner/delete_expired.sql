delete from readers.nodes where lease_until < clock_timestamp()
