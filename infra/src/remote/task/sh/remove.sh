if recall && { lives "$keeper" "$keeper_start" || lives "${leader:-none}" "$leader_start"; }; then
    say running
elif rm -rf "$place" 2>/dev/null; then
    say removed
else
    say unable folder
fi
