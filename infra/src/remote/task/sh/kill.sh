read_processes
# A number that has gone to somebody else is not ours.
look "${leader:-none}" && [ "$start" != "$leader_start" ] && leader=
look "${keeper:-none}" && [ "$start" != "$keeper_start" ] && keeper=

in_session() {
    grep -lsE "^[0-9]+ \(.*\) [^ZX] [0-9]+ [0-9]+ $1 " /proc/[0-9]*/stat
}

# Every process of the task, but for its keeper: by the mark in its environment, and by session.
left() {
    for one in $(grep -lsF "LETHE_RUN=$task" /proc/[0-9]*/environ; in_session "${leader:-none}"); do
        one=${one#/proc/}
        one=${one%/*}
        look "$one" && [ "$session" != "${keeper:-none}" ] && echo "$one"
    done
}

send() {
    [ -z "$leader" ] || kill "-$1" "-$leader"
    for one in $(left); do
        look "$one" && [ "$group" != "${leader:-none}" ] && kill "-$1" "$one"
    done
} 2>/dev/null

kill_keeper() {
    for one in $(in_session "$keeper"); do
        one=${one#/proc/}
        kill -KILL "${one%/*}"
    done
} 2>/dev/null

# Before it has started its command, a keeper has nothing to note.
[ -n "$leader" ] || [ -z "$keeper" ] || kill_keeper
forced=
read -r now _ </proc/uptime
until=$((${now%.*} + grace))
found=$(left)
if [ -n "$found" ]; then
    send TERM
    send CONT
fi
while [ -n "$found" ]; do
    read -r now _ </proc/uptime
    [ "${now%.*}" -lt "$until" ] || break
    nap
    found=$(left)
done
# After a long pause the last look says nothing of now.
found=$(left)
rounds=0
while :; do
    while [ -n "$found" ]; do
        forced=forced
        rounds=$((rounds + 1))
        [ "$rounds" -le 50 ] || { say alive; exit; }
        send KILL
        nap
        found=$(left)
    done
    # The keeper notes the end, and goes.
    while [ -n "$keeper" ] && lives "$keeper" "$keeper_start"; do
        rounds=$((rounds + 1))
        [ "$rounds" -lt 70 ] || { kill_keeper; keeper=; }
        nap
    done
    keeper=
    # It may have started its command between two looks.
    found=$(left)
    [ -n "$found" ] || break
done
say killed $forced
