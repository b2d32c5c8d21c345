# The keeper of a command: starts it once, counts what it writes, ends it in time, and notes how it
# ended. Its session is its own, and has no other process of the run.
lethe_take() {
    dd bs="$1" count=1 iflag=fullblock 2>/dev/null || dd bs=1 count="$1" 2>/dev/null
}

# What runs the command: the login shell, or what the first line names, with its argument. As the
# kernel reads that line, but also where the home is mounted noexec.
lethe_read_interpreter() {
    lethe_shell=${SHELL:-/bin/sh} lethe_argument= lethe_is_login=yes
    lethe_first=$(dd bs=256 count=1 <"$1" 2>/dev/null)
    lethe_first=${lethe_first%%"$lethe_newline"*}
    case $lethe_first in "#!"*[!\ \	]*) ;; *) return ;; esac
    IFS=' 	' read -r lethe_shell lethe_argument <<END
${lethe_first#??}
END
    case $lethe_shell in */*) ;; *) lethe_shell=./$lethe_shell ;; esac
    lethe_is_login=
}

# Some login shells exit with 0 and run nothing.
lethe_runs_files() {
    [ -n "$lethe_is_login" ] || return 0
    lethe_said=$("$lethe_shell" "$lethe_place/$1" </dev/null 2>/dev/null)
    case $lethe_said in *lethe-began*) ;; *) return 1 ;; esac
}

lethe_name() {
    read -r lethe_pid _ </proc/self/stat && echo "$1 $lethe_pid" >&9
}

# A pipe into file $1, in which its bytes are counted. Tells the numbers of its two writers, and of
# one that holds it open until it is opened here.
lethe_pipe() {
    unset LETHE_RUN
    LETHE_KEEPS=$lethe_task
    export LETHE_KEEPS
    exec 9>&1
    (lethe_name holder; exec sleep 90 9>&-) </dev/null |
        (lethe_name tee; exec tee -a "$1" 9>&-) |
        (lethe_name wc; exec wc -c >"$1.$$" 9>&-) &
}

lethe_read_pipe() {
    while [ $# -gt 1 ]; do
        case $1 in holder) lethe_holder=$2 ;; tee) lethe_tee=$2 ;; wc) lethe_wc=$2 ;; esac
        shift 2
    done
    [ -w "/proc/$lethe_holder/fd/1" ]
}

lethe_open_pipes() {
    lethe_read_pipe $(lethe_pipe out) || return
    exec 3>"/proc/$lethe_holder/fd/1"
    kill "$lethe_holder"
    lethe_out_tee=$lethe_tee lethe_out_wc=$lethe_wc
    lethe_read_pipe $(lethe_pipe err) || return
    exec 4>"/proc/$lethe_holder/fd/1"
    lethe_err_tee=$lethe_tee lethe_err_wc=$lethe_wc
    # It has lost its parent.
    lethe_look "$lethe_holder" && [ "$lethe_parent" = $$ ] &&
        [ -r "/proc/$$/task/$$/children" ] && lethe_reaper=yes
    kill "$lethe_holder"
}

# The scan's notes: see there.
lethe_read_marks() {
    lethe_audit=- lethe_limit=- lethe_set_limit=
    { read -r lethe_audit </proc/self/sessionid; } 2>/dev/null
    case $lethe_audit in 4294967295) lethe_audit=- ;; esac
    lethe_number=$((4611686018427387904 + lethe_since * 4194304 + $$))
    for lethe_flag in -w -x; do
        if (ulimit "$lethe_flag" "$lethe_number" && lethe_read_limit self &&
            [ "$lethe_hard" = "$lethe_number" ]) 2>/dev/null; then
            lethe_limit=$lethe_number lethe_set_limit="$lethe_flag $lethe_number"
            break
        fi
    done
    lethe_read_cgroup self
}

# Whether all that was written to the pipe of file $1 has come to its writers $2 and $3: they have
# ended, or both sleep, while a process that the command has left keeps the pipe.
lethe_is_through() {
    [ ! -s "$1.$$" ] || return 0
    for lethe_process in "$2" "$3"; do
        ! lethe_look "$lethe_process" || [ "$lethe_state" = S ] || ! lethe_is_alive || return
    done
}

lethe_await_outputs() {
    lethe_rounds=0 lethe_still=
    while [ "$lethe_rounds" -lt 70 ]; do
        [ ! -s "out.$$" ] || [ ! -s "err.$$" ] || return
        lethe_sizes="$(wc -c <out) $(wc -c <err)"
        if lethe_is_through out "$lethe_out_tee" "$lethe_out_wc" &&
            lethe_is_through err "$lethe_err_tee" "$lethe_err_wc"; then
            [ "$lethe_sizes" != "$lethe_still" ] || return
            lethe_still=$lethe_sizes
        else
            lethe_still=
        fi
        lethe_rounds=$((lethe_rounds + 1))
        { [ "$lethe_rounds" -lt 20 ] && sleep 0.01 2>/dev/null; } || lethe_nap
    done
}

# How many bytes have passed the pipe of file $1.
lethe_passed() {
    lethe_count=
    { read -r lethe_count <"$1.$$"; } 2>/dev/null
    echo $((${lethe_count:-$(wc -c <"$1")}))
}

# Ends the command when its time is over, also if nobody watches it any more.
lethe_watch() {
    trap 'kill $!; exit' TERM
    read -r lethe_now _ </proc/uptime
    lethe_over=$((${lethe_now%.*} + lethe_timeout))
    while read -r lethe_now _ </proc/uptime && lethe_left=$((lethe_over - ${lethe_now%.*})) &&
        [ "$lethe_left" -gt 0 ]; do
        # The clock of sleep stands still while the machine is suspended.
        [ "$lethe_left" -lt 60 ] || lethe_left=60
        sleep "$lethe_left" &
        wait $!
    done
    trap '' TERM
    lethe_forced= lethe_sudo=
    lethe_read_processes
    lethe_begin_scan $$ "LETHE_RUN=$lethe_task"
    lethe_stop timeout
    lethe_end
}

# The living processes of the run whose parents have ended; a hidden one has no readable start.
lethe_read_orphans() {
    lethe_orphans= lethe_children=
    { read -r lethe_children <"/proc/$$/task/$$/children"; } 2>/dev/null
    for lethe_process in $lethe_children; do
        if lethe_look "$lethe_process"; then
            [ "$lethe_session" != $$ ] && lethe_is_alive || continue
        else
            lethe_tick=0
            { read -r lethe_children <"/proc/$$/task/$$/children"; } 2>/dev/null
            case " $lethe_children " in *" $lethe_process "*) ;; *) continue ;; esac
        fi
        lethe_orphans="$lethe_orphans $lethe_process:$lethe_tick"
    done
}

# What the command has left running. While it is being ended, waits until that is nothing: then
# there is no process of the run any more.
lethe_note_kept() {
    lethe_kept=unknown lethe_rounds=0
    if [ -n "$lethe_reaper" ]; then
        lethe_read_orphans
        while [ -n "$lethe_orphans" ] && [ -e stopped ]; do
            lethe_rounds=$((lethe_rounds + 1))
            { [ "$lethe_rounds" -lt 600 ] && lethe_nap; } || sleep 10
            lethe_read_orphans
        done
        lethe_kept=alone
        [ -z "$lethe_orphans" ] || lethe_kept=$lethe_orphans
    fi
    read -r lethe_now _ </proc/uptime
    echo "${lethe_now%.*}${lethe_now#*.}" $lethe_kept >kept.new && mv kept.new kept
} 2>/dev/null

# Read whole before any of it is run: the script may have come in part.
lethe_keep() {
    lethe_mask=$1
    lethe_newline='
'
    cd "$lethe_place" || exit
    lethe_inner=$(lethe_take "$lethe_inner_bytes")
    lethe_take "$lethe_command_bytes" >"command.$$"
    lethe_look $$
    lethe_since=$lethe_tick lethe_reaper=
    lethe_read_marks
    lethe_read_interpreter "command.$$"
    : >>out && : >>err && : >>ended
    if [ $(($(wc -c <"command.$$"))) -ne "$lethe_command_bytes" ]; then
        lethe_answer="unable folder"
    elif ! { echo "echo lethe-began" >"began.$$" && [ -s "began.$$" ]; }; then
        lethe_answer="unable folder"
    elif ! lethe_runs_files "began.$$"; then
        lethe_answer="unable shell"
    elif ! lethe_open_pipes; then
        lethe_answer="unable proc"
    else
        read -r lethe_boot </proc/sys/kernel/random/boot_id
        lethe_host=
        { read -r lethe_host </proc/sys/kernel/hostname; } 2>/dev/null
        {
            echo "$$ $lethe_since $lethe_boot"
            echo "$lethe_audit ${lethe_reaper:--} $lethe_limit $lethe_cgroup"
            echo "$lethe_host"
        } >"note.$$"
        if [ ! -s "note.$$" ]; then
            lethe_answer="unable folder"
        elif ln "note.$$" started; then
            # From here on nobody else starts it, and it can be found.
            lethe_answer=launched
        elif [ -e started ]; then
            lethe_answer=there
        else
            lethe_answer="unable folder"
        fi
    fi
    if [ "$lethe_answer" = launched ]; then
        mv "command.$$" command
    else
        rm -f "command.$$" "out.$$" "err.$$"
    fi
    rm -f "note.$$" "began.$$"
    # Whoever asked may be gone by now.
    trap '' PIPE
    echo "$lethe_answer"
    exec </dev/null >/dev/null
    trap - PIPE
    [ "$lethe_answer" = launched ] || exit

    (unset LETHE_RUN; lethe_watch) 3>&- 4>&- &
    lethe_watcher=$!
    # util-linux's setsid tells a signal from an exit code above 128. Elsewhere the shell's own report
    # does, except for INT and PIPE (in bash for TERM too), which then count as exit codes.
    setsid -fw true 2>/dev/null && lethe_how=-fw || lethe_how=
    {
        printf '%s\n' "$lethe_inner" | setsid $lethe_how sh -c 'eval "$(cat)"' lethe "$lethe_place" \
            "$lethe_shell" "$lethe_mask" "$lethe_argument" "$lethe_set_limit"
    } 2>report
    lethe_code=$?
    kill "$lethe_watcher"
    [ -e stopped ] || wait "$lethe_watcher"
    lethe_ending=exited
    if [ ! -s group ]; then
        # It did not begin.
        cat report >&4
        [ "$lethe_code" -ne 0 ] || lethe_code=126
    elif [ -s report ]; then
        lethe_ending=signalled lethe_code=$((lethe_code % 128))
    fi
    exec 3>&- 4>&-
    lethe_await_outputs
    lethe_stopped=-
    { read -r lethe_stopped <stopped; } 2>/dev/null
    # Before anything is removed: where the disk is full, the end is not known.
    {
        echo "$lethe_ending $lethe_code $(($(wc -c <out))) $(($(wc -c <err)))"
        echo "$(lethe_passed out) $(lethe_passed err) $lethe_stopped"
    } >exit.new && mv exit.new exit
    rm -f command report "out.$$" "err.$$"
    echo >>ended
    # It may be ending what is left.
    wait "$lethe_watcher"
    lethe_note_kept
}
lethe_keep "$1"
