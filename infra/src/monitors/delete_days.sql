select working.drop_sample_partitions($1)
