# Deletes the folders of runs of this server that ended, or were removed, 14 days ago or more, but for
# those whose names stand in lethe_wanted. The folder of another server may be another installation's.
# A folder in which files have come or gone since is not even read.
lethe_swept=0

# Whether everything of folder $1 is so old that nobody asks for it any more.
lethe_is_over() {
    case $1 in *[!0-9a-f-]*) return 1 ;; *-"$lethe_server") ;; *) return 1 ;; esac
    case " $lethe_wanted " in *" $1 "*) return 1 ;; esac
    [ -d "$1" ] && [ ! -L "$1" ] || return
    # The tombstone counts from when it was put up.
    [ "$2" = gone ] || [ ! -e "$1/gone" ] || return
    lethe_place=$lethe_runs/$1
    lethe_read_processes
    ! lethe_lives "${lethe_keeper:-none}" "${lethe_keeper_tick:-none}" &&
        ! lethe_lives "${lethe_leader:-none}" "${lethe_leader_tick:-none}"
}

# Renamed first: a start of the same run that comes now finds no half of it.
lethe_delete() {
    mv "$1" ".swept-$1" && rm -rf ".swept-$1"
}

lethe_sweep() {
    [ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ] || return
    lethe_runs=$HOME/.lethe/runs
    [ ! -L "$HOME/.lethe" ] && [ ! -L "$lethe_runs" ] && cd "$lethe_runs" || return
    # What an earlier sweep, or preflight, had no time for.
    rm -rf .swept-*-"$lethe_server"
    find . ! -name . -prune -type f -name '.preflight.*' -mtime +0 -exec rm -f {} +
    set -f
    for lethe_file in $(find . ! -name . -type d -mtime -14 -prune -o \
        -type f \( -name exit -o -name gone \) -mtime +13 -print); do
        [ "$lethe_swept" -lt 200 ] || break
        lethe_file=${lethe_file#./}
        lethe_name=${lethe_file%/*}
        lethe_is_over "$lethe_name" "${lethe_file##*/}" && lethe_delete "$lethe_name" &&
            lethe_swept=$((lethe_swept + 1))
    done
}

lethe_sweep 2>/dev/null
lethe_say swept "$lethe_swept"
