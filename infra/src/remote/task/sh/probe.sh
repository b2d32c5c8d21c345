if [ ! -e "$lethe_place/started" ] || [ -e "$lethe_place/gone" ]; then
    if lethe_can_look; then lethe_say missing; else lethe_say unable folder; fi
    exit
fi
if lethe_read_processes; then
    lethe_lives "$lethe_keeper" "$lethe_keeper_tick" ||
        lethe_lives "${lethe_leader:-none}" "$lethe_leader_tick"
    lethe_alive=$?
    lethe_gone=vanished
elif lethe_has_read; then
    lethe_alive=1 lethe_gone=rebooted
elif [ -s "$lethe_place/exit" ]; then
    lethe_alive=1
else
    lethe_say unable folder
    exit
fi
# Looked for last: it may end at any time. A former version has written one line.
if [ -s "$lethe_place/exit" ]; then
    { read -r lethe_line; read -r lethe_more; } <"$lethe_place/exit"
    lethe_say "$lethe_line"${lethe_more:+ $lethe_more}
elif [ "${lethe_keeper:-}" = forbidden ]; then
    lethe_say missing
elif [ "$lethe_alive" = 0 ]; then
    lethe_say running
else
    lethe_say "$lethe_gone"
fi
