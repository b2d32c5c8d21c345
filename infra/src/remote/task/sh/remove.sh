lethe_read_processes
lethe_rounds=0
while lethe_lives "${lethe_keeper:-none}" "$lethe_keeper_tick"; do
    # It goes soon after it has noted the end.
    lethe_rounds=$((lethe_rounds + 1))
    [ -s "$lethe_place/exit" ] && [ "$lethe_rounds" -lt 50 ] || { lethe_say running; exit; }
    lethe_nap
done
if [ ! -s "$lethe_place/exit" ] && lethe_lives "${lethe_leader:-none}" "$lethe_leader_tick"; then
    lethe_say running
    exit
fi
# Followers of connections that were lost without a close.
for lethe_one in $(grep -lsF "LETHE_FOLLOWS=$lethe_task" /proc/[0-9]*/environ); do
    lethe_one=${lethe_one#/proc/}
    kill "${lethe_one%/*}"
done 2>/dev/null
if rm -rf "$lethe_place" 2>/dev/null; then
    lethe_say removed
else
    lethe_say unable folder
fi
