cd "$lethe_place" 2>/dev/null && [ -e started ] && [ ! -e gone ] || exit 3
# Before it, a login may have said anything.
echo "$lethe_mark"
echo "$lethe_mark" >&2
tail -c "+$lethe_out_from" -f out &
lethe_one=$!
tail -c "+$lethe_err_from" -f err >&2 &
lethe_other=$!
# Our end of the standard input closes with the channel, however the connection goes.
cat >/dev/null
kill "$lethe_one" "$lethe_other"
