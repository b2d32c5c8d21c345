lethe_mask=$(umask)
umask 077
lethe_place=$HOME/.lethe/runs/$lethe_task

# Writes an answer on its own line, also if the login has printed something before.
lethe_say() {
    echo
    echo "lethe: $*"
}

# The state, parent, group, session, number of threads and start of process $1.
lethe_look() {
    { read -r lethe_line <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -- ${lethe_line##*) }
    lethe_state=$1 lethe_parent=$2 lethe_group=$3 lethe_session=$4
    lethe_threads=${18} lethe_tick=${20}
}

# Whether the process of the last look lives. One whose first thread has ended shows as a zombie.
lethe_is_alive() {
    case $lethe_state in Z | X) [ "$lethe_threads" -gt 1 ] ;; esac
}

# Whether process $1 still is the one that began at tick $2, and lives.
lethe_lives() {
    lethe_look "$1" && [ "$lethe_tick" = "$2" ] && lethe_is_alive
}

# Reads the processes that the keeper and the command have recorded, if that was since the last boot.
# The second line is of the scan, the third the name of the machine; a former version has not written them.
lethe_read_processes() {
    lethe_keeper= lethe_keeper_tick= lethe_leader= lethe_leader_tick=
    lethe_boot= lethe_boot_then= lethe_host_then=
    lethe_audit=- lethe_reaper=- lethe_limit=- lethe_cgroup=-
    { read -r lethe_keeper lethe_keeper_tick lethe_boot_then &&
        read -r lethe_audit lethe_reaper lethe_limit lethe_cgroup &&
        read -r lethe_host_then; } 2>/dev/null <"$lethe_place/started"
    [ -n "$lethe_keeper" ] || return 1
    read -r lethe_boot </proc/sys/kernel/random/boot_id
    [ "$lethe_boot_then" = "$lethe_boot" ] || { lethe_keeper= lethe_keeper_tick=; return 1; }
    { read -r lethe_leader lethe_leader_tick <"$lethe_place/group"; } 2>/dev/null
    return 0
}

# Whether the note of the start was read, and what this boot is: else nobody knows that the server was rebooted. Nor where
# another machine has written it: several may share a home, behind one address. An empty one was not written so: the power
# has failed since.
lethe_has_read() {
    [ -s "$lethe_place/started" ] || [ ! -e "$lethe_place/started" ] || return 0
    [ -n "$lethe_boot_then" ] && [ -n "$lethe_boot" ] || return
    lethe_host=
    { read -r lethe_host </proc/sys/kernel/hostname; } 2>/dev/null
    [ "${lethe_host_then:-$lethe_host}" = "$lethe_host" ]
}

# Whether the note of the start is seen if it is there. In a home that is not there, or may not be entered, nobody can look.
lethe_can_look() {
    [ -d "$HOME" ] || return
    for lethe_folder in "$HOME" "$HOME/.lethe" "$HOME/.lethe/runs" "$lethe_place"; do
        [ ! -e "$lethe_folder" ] || [ -x "$lethe_folder" ] || return
    done
}

lethe_nap() { sleep 0.1 2>/dev/null || sleep 1; }
