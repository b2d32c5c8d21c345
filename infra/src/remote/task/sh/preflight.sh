# What a run needs of a server, and what makes runs there worse: one word of all facts, each name=yes
# or name=no. What cannot be tried is left out.
LC_ALL=C
export LC_ALL
lethe_facts=
lethe_file=$HOME/.lethe/runs/.preflight.$$

# Adds fact $1: whether the rest, a command, succeeds.
lethe_fact() {
    lethe_name=$1
    shift
    if "$@" >/dev/null 2>&1; then lethe_is_so=yes; else lethe_is_so=no; fi
    lethe_facts=$lethe_facts${lethe_facts:+,}$lethe_name=$lethe_is_so
    [ "$lethe_is_so" = yes ]
}

# Runs a command in a session of its own, for about $1 tenths of a second. What it says has to go to
# a file: it may leave processes that keep a pipe.
lethe_in_time() {
    lethe_rounds=$1
    shift
    setsid "$@" </dev/null &
    lethe_process=$!
    while lethe_look "$lethe_process" && [ "$lethe_state" != Z ]; do
        if [ "$lethe_rounds" = 0 ]; then
            kill -KILL "-$lethe_process" "$lethe_process"
            break
        fi
        lethe_rounds=$((lethe_rounds - 1))
        lethe_nap
    done
    wait "$lethe_process"
} 2>/dev/null

lethe_has_proc() {
    [ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ] && lethe_look $$
}

lethe_has_tools() {
    for lethe_tool in cat dd env id ln mkdir mv rm sleep tail tee wc; do
        command -v "$lethe_tool" || return
    done
}

# Writes a file of 4 KiB that a shell can run, and reads it back. Sets lethe_home to what is wrong.
lethe_try_home() {
    lethe_home=
    lethe_said=$({
        mkdir -p "${lethe_file%/*}" &&
            printf '#!/bin/sh\necho lethe-began\n#%4067s\n' | cat >"$lethe_file" &&
            [ $(($(wc -c <"$lethe_file"))) = 4096 ]
    } 2>&1) && return
    case $lethe_said in
        *"o space left"* | *"uota exceeded"*) lethe_home=full ;;
        *) lethe_home=unwritable ;;
    esac
}

# Whether a command runs the file. Some login shells exit with 0 and run nothing.
lethe_runs_file() {
    lethe_in_time 60 "$@" >"$lethe_file.said"
    while read -r lethe_line; do
        case $lethe_line in *lethe-began*) return ;; esac
    done <"$lethe_file.said"
    return 1
}

lethe_runs_programmes() {
    chmod 700 "$lethe_file" && lethe_runs_file "$lethe_file"
}

# Whether 64 MiB are free: what a run writes stays there until it has been read.
lethe_has_room() {
    lethe_in_time 20 df -Pk "${lethe_file%/*}" >"$lethe_file.said" || return
    lethe_free=0
    while read -r _ _ _ lethe_kib _; do lethe_free=$lethe_kib; done <"$lethe_file.said"
    [ "$lethe_free" -ge 65536 ]
}

# Sets lethe_may_rise: whether a process of this user may become another user's.
lethe_read_rights() {
    lethe_user=$(id -u) lethe_may_rise=yes
    while read -r lethe_key lethe_value; do
        [ "$lethe_key" != NoNewPrivs: ] || break
    done </proc/self/status
    [ "$lethe_user" != 0 ] && [ "$lethe_value" != 1 ] || lethe_may_rise=
}

lethe_sees_processes() {
    [ -z "$lethe_may_rise" ] || lethe_look 1
}

# Whether Lethe, too, may end what a run begins with sudo.
lethe_has_sudo() {
    [ -n "$lethe_may_rise" ] && command -v sudo || return 0
    lethe_in_time 20 sudo -n true
}

# Whether a process that has left its parent, its session and its environment can still be kept apart from
# those of others, by what a scan looks at.
lethe_knows_orphans() {
    lethe_audit=
    { read -r lethe_audit </proc/self/sessionid; } 2>/dev/null
    case $lethe_audit in 4294967295 | "") ;; *) return 0 ;; esac
    lethe_number=4611686018427387905
    (ulimit -w "$lethe_number" || ulimit -x "$lethe_number") && return
    [ -z "${PERL5OPT+set}" ] && perl -e 1 </dev/null
}

# Whether grep finds in an environment what is there, and nothing else. Some read it to the end of the
# first variable, which is one of the two at most.
lethe_has_grep() {
    GREP_OPTIONS= LETHE_FIRST=there LETHE_SECOND=there sh -c '
        [ -n "$(grep -lsF -e LETHE_FIRST=there "/proc/$$/environ")" ] &&
            [ -n "$(grep -lsF -e LETHE_SECOND=there "/proc/$$/environ")" ] &&
            [ -z "$(grep -lsF -e LETHE_FIRST=elsewhere "/proc/$$/environ")" ]'
}

# Whether output is followed as it is written, and not by a look each second.
lethe_watches_files() {
    case $(tail --version) in *coreutils*) ;; *) return 1 ;; esac
    # It ends when it sees that this process has.
    sh -c : &
    wait $!
    lethe_in_time 20 sh -c 'tail -n 0 -f --pid="$1" "$2" 2>&1' lethe $! "$lethe_file" \
        >"$lethe_file.said" && [ ! -s "$lethe_file.said" ]
}

# Whether a run goes on when the login that began it has ended.
lethe_survives_login() {
    [ "$lethe_user" != 0 ] || return 0
    case $(cat /proc/self/cgroup) in */session-*.scope*) ;; *) return 0 ;; esac
    lethe_in_time 20 sh -c 'loginctl show-user -p KillUserProcesses; loginctl show-user "$1" -p Linger' \
        lethe "$lethe_user" >"$lethe_file.said"
    while read -r lethe_line; do
        case $lethe_line in
            KillUserProcesses=no) return ;;
            Linger=yes) [ -n "$XDG_RUNTIME_DIR" ] && command -v systemd-run && return ;;
        esac
    done <"$lethe_file.said"
    return 1
}

trap 'rm -f "$lethe_file" "$lethe_file.said"' EXIT
trap exit HUP PIPE TERM
lethe_fact proc lethe_has_proc
lethe_fact setsid setsid sh -c :
lethe_base=$lethe_facts
lethe_fact tools lethe_has_tools
lethe_try_home
lethe_fact home_writable [ "$lethe_home" != unwritable ] && lethe_fact home_space [ -z "$lethe_home" ]
if [ "$lethe_base" = proc=yes,setsid=yes ]; then
    lethe_read_rights
    if [ -z "$lethe_home" ]; then
        lethe_fact shell lethe_runs_file "${SHELL:-/bin/sh}" "$lethe_file"
        lethe_fact home_room lethe_has_room
        lethe_fact home_programmes lethe_runs_programmes
    fi
    lethe_fact visible_processes lethe_sees_processes
    lethe_fact sudo lethe_has_sudo
    lethe_fact orphans lethe_knows_orphans
    lethe_fact grep lethe_has_grep
    lethe_fact exact_signals setsid -fw sh -c :
    if [ -z "$lethe_home" ]; then
        lethe_fact inotify lethe_watches_files
        lethe_fact survives_login lethe_survives_login
    fi
fi
lethe_say ready "$lethe_facts"
