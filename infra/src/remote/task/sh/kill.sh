lethe_read_processes
# A number that has gone to somebody else is not ours.
lethe_look "${lethe_leader:-none}" && [ "$lethe_tick" != "$lethe_leader_tick" ] && lethe_leader=
lethe_look "${lethe_keeper:-none}" && [ "$lethe_tick" != "$lethe_keeper_tick" ] && lethe_keeper=

lethe_in_session() {
    grep -lsE "^[0-9]+ \(.*\) [^ZX] [0-9]+ [0-9]+ $1 " /proc/[0-9]*/stat
}

# Every process of the task, but for its keeper: by the mark in its environment, and by session.
lethe_left() {
    for lethe_one in $(grep -lsF "LETHE_RUN=$lethe_task" /proc/[0-9]*/environ; lethe_in_session "${lethe_leader:-none}"); do
        lethe_one=${lethe_one#/proc/}
        lethe_one=${lethe_one%/*}
        lethe_look "$lethe_one" && [ "$lethe_session" != "${lethe_keeper:-none}" ] && echo "$lethe_one"
    done
}

lethe_send() {
    [ -z "$lethe_leader" ] || kill "-$1" "-$lethe_leader"
    for lethe_one in $(lethe_left); do
        lethe_look "$lethe_one" && [ "$lethe_group" != "${lethe_leader:-none}" ] && kill "-$1" "$lethe_one"
    done
} 2>/dev/null

lethe_kill_keeper() {
    for lethe_one in $(lethe_in_session "$lethe_keeper"); do
        lethe_one=${lethe_one#/proc/}
        kill -KILL "${lethe_one%/*}"
    done
} 2>/dev/null

# Before it has started its command, a keeper has nothing to note.
[ -n "$lethe_leader" ] || [ -z "$lethe_keeper" ] || lethe_kill_keeper
lethe_forced=
read -r lethe_now _ </proc/uptime
lethe_until=$((${lethe_now%.*} + lethe_grace))
lethe_found=$(lethe_left)
if [ -n "$lethe_found" ]; then
    lethe_send TERM
    lethe_send CONT
fi
while [ -n "$lethe_found" ]; do
    read -r lethe_now _ </proc/uptime
    [ "${lethe_now%.*}" -lt "$lethe_until" ] || break
    lethe_nap
    lethe_found=$(lethe_left)
done
# After a long pause the last look says nothing of now.
lethe_found=$(lethe_left)
lethe_rounds=0
while :; do
    while [ -n "$lethe_found" ]; do
        lethe_forced=forced
        lethe_rounds=$((lethe_rounds + 1))
        [ "$lethe_rounds" -le 50 ] || { lethe_say alive; exit; }
        lethe_send KILL
        lethe_nap
        lethe_found=$(lethe_left)
    done
    # The keeper notes the end, and goes.
    while [ -n "$lethe_keeper" ] && lethe_lives "$lethe_keeper" "$lethe_keeper_tick"; do
        lethe_rounds=$((lethe_rounds + 1))
        [ "$lethe_rounds" -lt 70 ] || { lethe_kill_keeper; lethe_keeper=; }
        lethe_nap
    done
    lethe_keeper=
    # It may have started its command between two looks.
    lethe_found=$(lethe_left)
    [ -n "$lethe_found" ] || break
done
lethe_say killed $lethe_forced
