read_processes
rounds=0
while lives "${keeper:-none}" "$keeper_start"; do
    # It goes soon after it has noted the end.
    rounds=$((rounds + 1))
    [ -s "$place/exit" ] && [ "$rounds" -lt 50 ] || { say running; exit; }
    nap
done
if [ ! -s "$place/exit" ] && lives "${leader:-none}" "$leader_start"; then
    say running
    exit
fi
# Followers of connections that were lost without a close.
for one in $(grep -lsF "LETHE_FOLLOWS=$task" /proc/[0-9]*/environ); do
    one=${one#/proc/}
    kill "${one%/*}"
done 2>/dev/null
if rm -rf "$place" 2>/dev/null; then
    say removed
else
    say unable folder
fi
