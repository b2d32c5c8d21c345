# Which processes are of the run. Each way to know one works without the others, and what none can
# tell is part of the answer:
# - LETHE_RUN in its environment, which `env -i` and sudo take away;
# - the session of the command, or of another process of the run, which setsid changes;
# - its parent, while that lives: orphans are the keeper's, where that is a subreaper;
# - its limit of file locks, which means nothing to Linux since 2.4: children keep it, and only
#   root can raise it;
# - its audit session or the scope of its login, which children keep too.

# The hard limit of file locks of process $1.
lethe_read_limit() {
    while read -r lethe_max lethe_file lethe_locks lethe_soft lethe_hard _; do
        [ "$lethe_max $lethe_file $lethe_locks" != "Max file locks" ] || return 0
    done <"/proc/$1/limits"
    lethe_hard=
    return 1
} 2>/dev/null

# The control group of process $1, by which units and containers are known; - for the topmost.
lethe_read_cgroup() {
    lethe_cgroup=-
    while IFS=: read -r lethe_hierarchy lethe_controllers lethe_path; do
        case $lethe_hierarchy:$lethe_controllers:$lethe_path in
            *:/) ;;
            0::* | *:name=systemd:*) lethe_cgroup=$lethe_path ;;
        esac
    done <"/proc/$1/cgroup"
} 2>/dev/null

# Whether the environment of process $1 holds $2, with nothing but the shell.
lethe_has() {
    lethe_is_over=
    while [ -z "$lethe_is_over" ]; do
        IFS= read -r lethe_text || lethe_is_over=yes
        case $lethe_text in *"$2"*) return 0 ;; esac
    done <"/proc/$1/environ"
    return 1
} 2>/dev/null

lethe_read_stats() {
    for lethe_file in /proc/[0-9]*/stat; do
        read -r lethe_line <"$lethe_file" && echo "$lethe_line"
    done
} 2>/dev/null

# Every process that lives and began since the keeper did, as number:parent:group:session:start.
lethe_list() {
    lethe_young= lethe_part=
    lethe_stats=$(cat /proc/[0-9]*/stat 2>/dev/null)
    # There may be more than a command line takes.
    [ -n "$lethe_stats" ] || lethe_stats=$(lethe_read_stats)
    set -f
    IFS='
'
    for lethe_line in $lethe_stats; do
        # A name may hold line ends.
        lethe_line=$lethe_part$lethe_line
        lethe_rest=${lethe_line##*) }
        [ "$lethe_rest" != "$lethe_line" ] || { lethe_part=$lethe_line; continue; }
        lethe_part=
        lethe_process=${lethe_line%% *}
        IFS=' '
        set -- $lethe_rest
        [ "${20:-0}" -ge "${lethe_keeper_tick:-0}" ] || continue
        case $1 in Z | X) [ "${18}" -gt 1 ] || continue ;; esac
        lethe_young="$lethe_young$lethe_process:$2:$3:$4:${20} "
    done
    set +f
    unset IFS
}

# Those of lethe_young whose environment holds $1. A grep that does not find a sentinel is not asked.
lethe_marked() {
    lethe_files=
    for lethe_each in $lethe_young; do
        lethe_files="$lethe_files /proc/${lethe_each%%:*}/environ"
    done
    [ -z "$lethe_has_grep" ] || lethe_files=$(LC_ALL=C GREP_OPTIONS= grep -lsF -e "$1" $lethe_files)
    for lethe_each in $lethe_files; do
        lethe_each=${lethe_each#/proc/}
        ! lethe_has "${lethe_each%/environ}" "$1" || echo "${lethe_each%/environ}"
    done
} 2>/dev/null

# Those of lethe_young that have the limit of the run.
lethe_limited() {
    case $lethe_limit in *[!0-9]* | "") return ;; esac
    lethe_files=
    for lethe_each in $lethe_young; do
        lethe_files="$lethe_files /proc/${lethe_each%%:*}/limits"
    done
    [ -z "$lethe_has_grep" ] ||
        lethe_files=$(LC_ALL=C GREP_OPTIONS= grep -lsF -e " $lethe_limit " $lethe_files)
    for lethe_each in $lethe_files; do
        lethe_each=${lethe_each#/proc/}
        lethe_each=${lethe_each%/limits}
        lethe_read_limit "$lethe_each" && [ "$lethe_hard" = "$lethe_limit" ] && echo "$lethe_each"
    done
} 2>/dev/null

# Whether process $1, whose parent has ended, is in the audit session or the login's scope of the
# run, which no other run shares.
lethe_is_of_login() {
    [ -n "$lethe_has_own_login" ] || return
    lethe_other=
    { read -r lethe_other <"/proc/$1/sessionid"; } 2>/dev/null
    [ "$lethe_other" != "$lethe_audit" ] || return 0
    case $lethe_scope in */session-*.scope | */lethe-*.scope) ;; *) return 1 ;; esac
    lethe_read_cgroup "$1"
    [ "$lethe_cgroup" = "$lethe_scope" ]
}

# Whether process $1 takes on those that have lost their parents.
lethe_is_adopter() {
    case "$lethe_adopters" in *" $1 "*) return 0 ;; esac
    case "$lethe_parents" in *" $1 "*) return 1 ;; esac
    lethe_comm=
    { read -r lethe_comm <"/proc/$1/comm"; } 2>/dev/null
    case $lethe_comm in
        systemd | init) lethe_adopters="$lethe_adopters$1 " ;;
        *) lethe_parents="$lethe_parents$1 "; return 1 ;;
    esac
}

# What the keeper has noted when it ended: its time, and what it left or how much it knew of that.
lethe_read_kept() {
    lethe_kept= lethe_kept_tick=0
    { read -r lethe_kept_tick lethe_kept <"$lethe_place/kept"; } 2>/dev/null
}

# What a scan needs to know from before it. $1 is a process that has the mark $2.
lethe_begin_scan() {
    lethe_has_grep= lethe_parents=" "
    [ -z "$(LC_ALL=C GREP_OPTIONS= grep -lsF -e "$2" "/proc/$1/environ" 2>/dev/null)" ] ||
        lethe_has_grep=yes
    lethe_read_kept
    lethe_led_until=$lethe_kept_tick
    lethe_is_hiding=
    [ "$(id -u)" = 0 ] || lethe_look 1 || lethe_is_hiding=yes
    lethe_scope=${lethe_cgroup:--}
    lethe_adopters=" 1 "
    lethe_lives "${lethe_keeper:-none}" "$lethe_keeper_tick" &&
        lethe_adopters="$lethe_adopters$lethe_parent "
    lethe_look $$ && lethe_apart=" ${lethe_keeper:-none} $lethe_session $1 "
    lethe_has_own_login=yes
    for lethe_other in "${lethe_place%/*}"/*/started; do
        [ -n "$lethe_has_own_login" ] || break
        [ "$lethe_other" != "$lethe_place/started" ] || continue
        # There are those of 14 days. What was alone has left nothing to a login.
        [ ! -s "${lethe_other%/started}/gone" ] || continue
        { read -r _ _ lethe_other_boot && read -r lethe_other_audit _ _ lethe_other_cgroup; } \
            2>/dev/null <"$lethe_other" || continue
        [ "$lethe_other_boot" = "${lethe_boot:-none}" ] || continue
        [ "$lethe_other_audit" != "$lethe_audit" ] || [ "$lethe_other_audit" = - ] ||
            lethe_has_own_login=
        [ "$lethe_other_cgroup" != "$lethe_scope" ] || lethe_has_own_login=
    done
}

# Sets lethe_hidden to the keeper's children that this user is not shown, and the command where it is
# one: its number is its own while `setsid` waits for it.
lethe_find_hidden() {
    lethe_hidden= lethe_children=
    { read -r lethe_children <"/proc/$lethe_keeper/task/$lethe_keeper/children"; } 2>/dev/null
    for lethe_process in $lethe_children; do
        if lethe_look "$lethe_process"; then
            { read -r lethe_comm <"/proc/$lethe_process/comm"; } 2>/dev/null
            [ "$lethe_comm" = setsid ] && [ -n "$lethe_leader" ] && ! lethe_look "$lethe_leader" &&
                lethe_hidden="$lethe_hidden $lethe_leader"
        else
            lethe_others=
            { read -r lethe_others <"/proc/$lethe_keeper/task/$lethe_keeper/children"; } 2>/dev/null
            case " $lethe_others " in
                *" $lethe_process "*) lethe_hidden="$lethe_hidden $lethe_process" ;;
            esac
        fi
    done
}

# Counts a process as one of the run: $1 is number:parent:group:session:start.
lethe_add() {
    lethe_ours="$lethe_ours$1 "
    IFS=:
    set -- $1
    unset IFS
    lethe_numbers="$lethe_numbers$1 "
    lethe_sessions="$lethe_sessions$4 "
}

# Whether a process is of the run by itself: its number, parent, session and start.
lethe_is_ours() {
    case " $lethe_hits $lethe_kept " in *" $1 "* | *" $1:$4 "*) return 0 ;; esac
    [ "$2" != "${lethe_keeper:-none}" ] || return 0
    # A number that has gone to somebody else is not the command's.
    if [ "$3" = "${lethe_leader:-none}" ]; then
        [ -z "$lethe_is_led" ] && [ "$4" -gt "$lethe_led_until" ] || return 0
    fi
    lethe_is_adopter "$2" && lethe_is_of_login "$1"
}

# Sets lethe_ours to the processes of the run but for its keeper's session, as lethe_list shows them.
lethe_find() {
    lethe_ours= lethe_numbers=" " lethe_sessions=" " lethe_is_led=
    if lethe_lives "${lethe_leader:-none}" "$lethe_leader_tick"; then
        read -r lethe_now _ </proc/uptime
        lethe_is_led=yes lethe_led_until=${lethe_now%.*}${lethe_now#*.}
    fi
    lethe_list
    lethe_hits=$(echo $(lethe_marked "LETHE_RUN=$lethe_task") $(lethe_limited))
    lethe_pass=first
    while [ -n "$lethe_pass" ]; do
        lethe_next=
        for lethe_each in $lethe_young; do
            IFS=:
            set -- $lethe_each
            unset IFS
            case "$lethe_apart" in *" $4 "*) continue ;; esac
            case "$lethe_numbers" in *" $1 "*) continue ;; esac
            if [ "$lethe_pass" = first ]; then
                lethe_is_ours "$1" "$2" "$4" "$5" || continue
            else
                case "$lethe_numbers/$lethe_sessions" in
                    *" $2 "*/* | */*" $4 "*) ;;
                    *) continue ;;
                esac
            fi
            lethe_add "$lethe_each"
            lethe_next=again
        done
        lethe_pass=$lethe_next
    done
    [ -n "$lethe_is_hiding" ] && [ -n "$lethe_keeper" ] || return 0
    lethe_find_hidden
    for lethe_process in $lethe_hidden; do
        lethe_add "$lethe_process:$lethe_keeper:0:0:hidden"
    done
}
