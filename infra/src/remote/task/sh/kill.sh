lethe_looked=yes
if ! lethe_read_processes && ! lethe_has_read; then
    [ ! -e "$lethe_place/started" ] && lethe_can_look || lethe_looked=
fi
# A number that has gone to somebody else is not ours.
lethe_look "${lethe_keeper:-none}" && [ "$lethe_tick" != "$lethe_keeper_tick" ] && lethe_keeper=

# A sentinel: a scan that does not find it has not looked.
LETHE_RUN=control-$lethe_task setsid sleep 90 </dev/null >/dev/null 2>&1 &
lethe_control=$!
trap '{ kill "$lethe_control" && wait "$lethe_control"; } 2>/dev/null' EXIT

# Whether the sentinel shows in every way that shows a process of the run.
lethe_sees_control() {
    lethe_list
    case " $lethe_young" in *" $lethe_control:"*":$lethe_control:$lethe_control:"*) ;; *) return 1 ;; esac
    case " $(echo $(lethe_marked "LETHE_RUN=control-$lethe_task")) " in
        *" $lethe_control "*) ;;
        *) return 1 ;;
    esac
    [ "${lethe_audit:--}" != - ] || return 0
    lethe_other= lethe_own=
    { read -r lethe_other <"/proc/$lethe_control/sessionid"; } 2>/dev/null
    { read -r lethe_own </proc/self/sessionid; } 2>/dev/null
    [ -n "$lethe_own" ] && [ "$lethe_other" = "$lethe_own" ]
}

lethe_kill_keeper() {
    lethe_list
    for lethe_each in $lethe_young; do
        case $lethe_each in *:"$lethe_keeper":*) ;; *) continue ;; esac
        IFS=:
        set -- $lethe_each
        unset IFS
        [ "$4" != "$lethe_keeper" ] || lethe_signal KILL "$1" "$5"
    done
}

# Waits until the keeper has noted the end and gone; 1 while it has children of the run.
lethe_await_keeper() {
    lethe_rounds=0
    while lethe_lives "${lethe_keeper:-none}" "$lethe_keeper_tick"; do
        lethe_rounds=$((lethe_rounds + 1))
        if [ "$lethe_rounds" -gt 70 ]; then
            [ ! -s "$lethe_place/exit" ] && [ "$lethe_rounds" -le 90 ] || return 1
            lethe_kill_keeper
        fi
        lethe_nap
    done
    return 0
}

# Whether a process of the run may have become another user's, which are hidden.
lethe_may_hide() {
    [ -n "$lethe_is_hiding" ] || return
    while read -r lethe_name lethe_value; do
        [ "$lethe_name" != NoNewPrivs: ] || break
    done </proc/self/status
    [ "$lethe_name $lethe_value" != "NoNewPrivs: 1" ]
}

# Whether process $1, which lost its parent and began at tick $2, may be of the run: nothing says
# that it is, and nothing that it is not.
lethe_may_be_ours() {
    if [ "${lethe_audit:--}" != - ]; then
        lethe_other=
        { read -r lethe_other <"/proc/$1/sessionid"; } 2>/dev/null
        case $lethe_other in "$lethe_audit" | "") ;; *) return 1 ;; esac
    fi
    case ${lethe_limit:--} in
        -) ;;
        *)
            lethe_read_limit "$1"
            case $lethe_hard in
                "$lethe_limit" | "") ;;
                unlimited) return 1 ;;
                *) [ "$lethe_hard" -lt 4611686018427387904 ] || return 1 ;;
            esac
            ;;
    esac
    # The keeper took on all that lost its parent while it was there.
    [ "${lethe_reaper:--}" != yes ] || [ "$2" -gt "$lethe_kept_tick" ] || return 1
    lethe_read_cgroup "$1"
    [ "$lethe_scope" = - ] || [ "$lethe_cgroup" = "$lethe_scope" ] || return 1
    lethe_has "$1" LETHE_RUN= || lethe_has "$1" LETHE_KEEPS= || lethe_has "$1" LETHE_FOLLOWS= &&
        return 1
    lethe_comm= lethe_parent=1
    { read -r lethe_comm <"/proc/$1/comm"; } 2>/dev/null
    lethe_look "$1" && lethe_is_alive || return 1
    # A server of connections in a container is its first process.
    case $lethe_comm in sshd*) read -r lethe_other <"/proc/$lethe_parent/comm" ;; *) return 0 ;; esac
    case $lethe_other in sshd*) return 1 ;; esac
}

# Adds the name of process $1, as far as it is a plain one.
lethe_name_process() {
    lethe_comm=
    { read -r lethe_comm <"/proc/$1/comm"; } 2>/dev/null
    case $lethe_comm in *[!A-Za-z0-9._:@+-]* | "") lethe_comm=unknown ;; esac
    lethe_count=$((lethe_count + 1))
    [ "$lethe_count" -gt 16 ] || lethe_names="$lethe_names process:$1:$lethe_comm"
}

# Adds the unit or the container of process $1, if all of it began since the run did.
lethe_name_group() {
    lethe_read_cgroup "$1"
    [ "$lethe_cgroup" != "$lethe_scope" ] || return
    lethe_path=${lethe_cgroup##*/}
    case $lethe_cgroup in
        */docker-*.scope | */libpod-*.scope | */cri-containerd-*.scope | */crio-*.scope)
            lethe_path=${lethe_path%.scope}
            lethe_path=container:${lethe_path##*-}
            ;;
        */docker/* | */lxc/* | */kubepods/*) lethe_path=container:$lethe_path ;;
        *.service) lethe_path=unit:$lethe_path ;;
        *) return ;;
    esac
    case $lethe_path in *[!A-Za-z0-9._:@\\-]*) return ;; esac
    case "$lethe_groups " in *" $lethe_path "*) return ;; esac
    for lethe_other in "/sys/fs/cgroup$lethe_cgroup" "/sys/fs/cgroup/systemd$lethe_cgroup" \
        "/sys/fs/cgroup/unified$lethe_cgroup"; do
        while read -r lethe_other_process; do
            case " $lethe_young" in *" $lethe_other_process:"*) ;; *) return ;; esac
        done <"$lethe_other/cgroup.procs"
    done 2>/dev/null
    lethe_group_count=$((lethe_group_count + 1))
    [ "$lethe_group_count" -gt 16 ] || lethe_groups="$lethe_groups $lethe_path"
}

# Sets lethe_orphans to the processes that may be of the run, and lethe_groups to the names of units
# and containers that began since, which no parent leads to.
lethe_find_others() {
    lethe_orphans= lethe_groups= lethe_group_count=0
    # Without the run's own start, all is young.
    [ "${lethe_keeper_tick:-0}" -gt 0 ] || return 0
    for lethe_each in $lethe_young; do
        IFS=:
        set -- $lethe_each
        unset IFS
        case "$lethe_apart" in *" $4 "*) continue ;; esac
        lethe_name_group "$1"
        lethe_is_adopter "$2" || continue
        case "$lethe_ancestors" in *" $1 "*) continue ;; esac
        ! lethe_may_be_ours "$1" "$5" || lethe_orphans="$lethe_orphans $1"
    done
}

lethe_read_ancestors() {
    lethe_ancestors=" " lethe_process=$$
    while lethe_look "$lethe_process" && [ "$lethe_process" -gt 1 ]; do
        lethe_ancestors="$lethe_ancestors$lethe_process "
        lethe_process=$lethe_parent
    done
}

# Says what is left, for the reason $1, of the processes after it.
lethe_say_left() {
    lethe_why=$1 lethe_count=0 lethe_names=
    shift
    for lethe_process in "$@"; do lethe_name_process "$lethe_process"; done
    lethe_say left "$lethe_why" "$lethe_count" "$lethe_forced"$lethe_names$lethe_groups
    exit
}

lethe_rounds=0
until lethe_has "$lethe_control" "LETHE_RUN=control-$lethe_task" || [ "$lethe_rounds" -ge 20 ]; do
    lethe_rounds=$((lethe_rounds + 1))
    lethe_nap
done
lethe_begin_scan "$lethe_control" "LETHE_RUN=control-$lethe_task"
lethe_read_ancestors
lethe_forced=gently lethe_sudo=
# Before it has started its command, a keeper has nothing to note.
[ -n "$lethe_leader" ] || [ -z "$lethe_keeper" ] || lethe_kill_keeper
lethe_stop "$lethe_cause"
while lethe_end && lethe_await_keeper; do
    # The keeper may have started its command between two looks, or have noted what that left.
    lethe_read_kept
    lethe_find
    [ -n "$lethe_ours" ] || break
done
lethe_read_kept
lethe_find_others
if [ -n "$lethe_ours" ]; then
    lethe_why=alive
    for lethe_each in $lethe_numbers; do
        kill -0 "$lethe_each" 2>/dev/null || lethe_why=denied
    done
    lethe_say_left "$lethe_why" $lethe_numbers
fi
if lethe_lives "${lethe_keeper:-none}" "$lethe_keeper_tick"; then
    lethe_sees_control || lethe_say_left no_tool
    lethe_say_left alive
fi
if [ "$lethe_kept" != alone ]; then
    lethe_sees_control || lethe_say_left no_tool
    ! lethe_may_hide || lethe_say_left hidden $lethe_orphans
    [ -z "$lethe_orphans" ] || lethe_say_left orphans $lethe_orphans
fi
# Without the run's own start, some ways to know its processes are none.
[ -n "$lethe_looked" ] || lethe_say_left no_tool
lethe_say killed "$lethe_forced"$lethe_groups
