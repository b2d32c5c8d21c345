lethe_read_processes
lethe_rounds=0
while lethe_lives "${lethe_keeper:-none}" "$lethe_keeper_tick"; do
    # It goes soon after it has noted the end.
    lethe_rounds=$((lethe_rounds + 1))
    [ -s "$lethe_place/exit" ] && [ "$lethe_rounds" -lt 50 ] || { lethe_say running; exit; }
    lethe_nap
done
if [ ! -s "$lethe_place/exit" ] && lethe_lives "${lethe_leader:-none}" "$lethe_leader_tick"; then
    lethe_say running
    exit
fi
# Followers of connections that were lost without a close.
for lethe_one in $(LC_ALL=C GREP_OPTIONS= grep -lsF -e "LETHE_FOLLOWS=$lethe_task" /proc/[0-9]*/environ); do
    lethe_one=${lethe_one#/proc/}
    lethe_one=${lethe_one%/*}
    # A grep that lists others, too, would end all that the user runs.
    ! lethe_has "$lethe_one" "LETHE_FOLLOWS=$lethe_task" || kill "$lethe_one"
done 2>/dev/null
lethe_forbid
lethe_read_kept
# What says that it was started stays, and what a later scan goes by.
lethe_failed=
if cd "$lethe_place"; then
    for lethe_one in * .[!.]*; do
        case $lethe_one in
            started | group | kept | gone) ;;
            *) rm -rf "./$lethe_one" || lethe_failed=yes ;;
        esac
    done
    # A tombstone that is not empty says that nothing was left: no scan reads more of the folder.
    [ "$lethe_kept" != alone ] || [ -s gone ] || echo alone >gone
    [ -e started ] && : >>gone || lethe_failed=yes
else
    lethe_failed=yes
fi 2>/dev/null
[ -z "$lethe_failed" ] && lethe_say removed || lethe_say unable folder
