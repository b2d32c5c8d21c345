select working.drop_samples($1)
