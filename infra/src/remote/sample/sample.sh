# A line for each thing that the server shows: it may lack any of them.
echo
echo 'lethe: sample'
read -r line </proc/stat && echo "$line"
while read -r line; do
    case $line in
    MemTotal:* | MemAvailable:*) echo "$line" ;;
    SwapTotal:*) break ;;
    esac
done </proc/meminfo
read -r line </proc/loadavg && echo "load $line"
read -r line </proc/uptime && echo "up $line"

# A file system may never answer, and a process that waits for one cannot be killed. So `df` writes to a pipe, and after 5
# seconds its reader gets two empty lines instead. Whoever has read ends the timer: nothing is left over.
command -v df >/dev/null && {
    sleep 5 >/dev/null &
    timer=$!
    echo "$timer"
    df -Pk / &
    df=$!
    wait "$timer"
    kill -9 "$df"
    echo
    echo
} 2>/dev/null | {
    read -r timer && read -r line && read -r line && [ -n "$line" ] && echo "disk $line"
    kill "$timer"
} 2>/dev/null
exit 0
