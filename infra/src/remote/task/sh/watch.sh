cd "$lethe_place" 2>/dev/null && [ -e started ] && [ -e ended ] && [ ! -e gone ] || exit 3
# Before it, a login may have said anything; after it, nobody speaks but the outputs.
echo "$lethe_mark"
echo "$lethe_mark" >&2
exec 3>&2 2>/dev/null 4<&0

# Where to read file $1, whose bytes before $2 are known. Of one that has become shorter, what is added.
lethe_from() {
    lethe_size=$(($(wc -c <"$1")))
    [ "$2" -le "$((lethe_size + 1))" ] || set -- "$1" "$((lethe_size + 1))"
    echo "$2"
}

# As the probe has it.
lethe_goes_on() {
    [ ! -s exit ] && lethe_read_processes || return 1
    lethe_lives "$lethe_keeper" "$lethe_keeper_tick" || lethe_lives "${lethe_leader:-none}" "$lethe_leader_tick"
}

lethe_tails=
if [ -n "$lethe_outputs" ]; then
    tail -c "+$(lethe_from out "$lethe_out_from")" -f out 3>&- 4<&- &
    lethe_tails=$!
    tail -c "+$(lethe_from err "$lethe_err_from")" -f err >&3 3>&- 4<&- &
    lethe_tails="$lethe_tails $!"
fi

# A line of the signal's file is the end of the command.
sh -c 'echo "$$"; exec tail -n +1 -f "$1"' lethe "$lethe_signal" 3>&- 4<&- | {
    read -r lethe_last
    lethe_tails="$lethe_tails $lethe_last"
    # Our end of the standard input closes with the channel, however the connection goes, also where
    # our shell was killed. Each line of it asks whether the command still runs.
    {
        while read -r lethe_asked <&4 && lethe_goes_on; do :; done
        kill $lethe_tails
    } >/dev/null 3>&- &
    lethe_code=4
    read -r lethe_line || { lethe_goes_on && lethe_code=5; }
    kill $lethe_tails "$!"
    exit "$lethe_code"
}
