select working.create_sample_partitions($1, $2)
