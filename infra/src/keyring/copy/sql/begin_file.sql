-- None: another node writes, or has written since the row was read.
update keyring.copy
set number = number + 1, token = $2, writing_until = clock_timestamp() + make_interval(secs => $3)
where number = $1 and (writing_until is null or writing_until < clock_timestamp())
returning number
