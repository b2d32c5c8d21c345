select pg_notify('lethe_appended', $1)
