select working.extend_samples($1, $2)
