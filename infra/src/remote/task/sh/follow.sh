cd "$place" 2>/dev/null && [ -e started ] || exit 3
# Before it, a login may have said anything.
echo "$mark"
echo "$mark" >&2
tail -c "+$out_from" -f out &
one=$!
tail -c "+$err_from" -f err >&2 &
other=$!
# Our end of the standard input closes with the channel, however the connection goes.
cat >/dev/null
kill "$one" "$other"
