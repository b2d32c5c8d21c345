mask=$(umask)
umask 077
place=$HOME/.lethe/runs/$task

# Writes an answer on its own line, also if the login has printed something before.
say() {
    echo
    echo "lethe: $*"
}

# The state, group, session and start of process $1.
look() {
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -- ${line##*) }
    state=$1 group=$3 session=$4 start=${20}
}

# Whether process $1 still is the one that began at tick $2, and lives.
lives() {
    look "$1" && [ "$start" = "$2" ] && [ "$state" != Z ] && [ "$state" != X ]
}

# Reads the processes that the keeper and the command have recorded, if that was since the last boot.
read_processes() {
    keeper= keeper_start= leader= leader_start=
    read -r keeper keeper_start boot_then <"$place/started" || return 1
    read -r boot </proc/sys/kernel/random/boot_id
    [ "$boot_then" = "$boot" ] || { keeper=; return 1; }
    { read -r leader leader_start <"$place/group"; } 2>/dev/null
    return 0
}

nap() { sleep 0.1 2>/dev/null || sleep 1; }
