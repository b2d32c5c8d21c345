# Ends what a scan finds.

# Notes who ends the run, before it ends: the first note counts.
lethe_stop() {
    [ -e "$lethe_place/started" ] && [ ! -s "$lethe_place/exit" ] || return 0
    echo "$1" >"$lethe_place/stop.$$" && ln "$lethe_place/stop.$$" "$lethe_place/stopped"
    rm -f "$lethe_place/stop.$$"
} 2>/dev/null

# Asked once, and only where a process of the run is somebody else's.
lethe_may_sudo() {
    if [ -z "$lethe_sudo" ]; then
        sudo -n kill -0 $$ && lethe_sudo=yes || lethe_sudo=no
    fi
    [ "$lethe_sudo" = yes ]
} </dev/null >/dev/null 2>&1

# Sends signal $1 to process $2, if it still is the one that began at tick $3.
lethe_signal() {
    [ "$3" = hidden ] || lethe_lives "$2" "$3" || return 0
    kill "-$1" "$2" && return
    [ "$3" = hidden ] || lethe_lives "$2" "$3" && lethe_may_sudo && sudo -n kill "-$1" "$2"
} </dev/null >/dev/null 2>&1

# Sends signal $1 to all that were found, the command's group at once. A dead leader's number may be
# somebody else's group.
lethe_send() {
    lethe_grouped=none
    if lethe_lives "${lethe_leader:-none}" "$lethe_leader_tick"; then
        lethe_grouped=$lethe_leader
        kill "-$1" "-$lethe_leader" 2>/dev/null
    fi
    for lethe_each in $lethe_ours; do
        IFS=:
        set -- "$1" $lethe_each
        unset IFS
        [ "$4" = "$lethe_grouped" ] && kill -0 "$2" 2>/dev/null || lethe_signal "$1" "$2" "$6"
    done
}

# TERM to all, and KILL to what is left after the grace; 1 where that did not help.
lethe_end() {
    read -r lethe_now _ </proc/uptime
    lethe_until=$((${lethe_now%.*} + lethe_grace))
    lethe_find
    if [ -n "$lethe_ours" ]; then
        lethe_send TERM
        lethe_send CONT
    fi
    while [ -n "$lethe_ours" ]; do
        read -r lethe_now _ </proc/uptime
        [ "${lethe_now%.*}" -lt "$lethe_until" ] || break
        lethe_nap
        lethe_find
    done
    # After a long pause the last look says nothing of now.
    lethe_find
    lethe_rounds=0
    while [ -n "$lethe_ours" ]; do
        lethe_forced=forced
        lethe_rounds=$((lethe_rounds + 1))
        [ "$lethe_rounds" -le 50 ] || return 1
        lethe_send KILL
        lethe_nap
        lethe_find
    done
    return 0
}
