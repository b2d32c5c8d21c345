# $1: a folder to remove afterwards, or empty; then the server and its arguments.
# Lethe holds the other end of our stdin. However Lethe ends, kill -9 included, that pipe closes,
# and the server is stopped at once.
trap '' HUP INT TERM
scratch=$1
shift
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
(
    read -r _ <&3
    while kill -INT "$server" 2>/dev/null; do sleep 1; done
) &
watch=$!
exec 3<&-
wait "$server"
status=$?
kill -KILL "$watch" 2>/dev/null
[ -z "$scratch" ] || rm -rf "$scratch"
exit "$status"
