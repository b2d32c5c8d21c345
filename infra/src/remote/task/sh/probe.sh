if [ ! -e "$place/started" ]; then
    say missing
    exit
fi
if read_processes; then
    lives "$keeper" "$keeper_start" || lives "${leader:-none}" "$leader_start"
    alive=$?
    gone=vanished
else
    alive=1 gone=rebooted
fi
# Looked for last: it may end at any time.
if [ -s "$place/exit" ]; then
    read -r line <"$place/exit"
    say "$line"
elif [ "$alive" = 0 ]; then
    say running
else
    say "$gone"
fi
