# Keeps one sshd of a test. $1: its folder, $2: the mark in the environment of all that it runs,
# $3: the programme. The test holds the other end of our stdin and speaks one word a line; however
# the test ends, kill -9 included, that pipe closes, and nothing of the server is left.
trap : HUP INT TERM PIPE
folder=$1 mark=$2 sshd=$3 listener=

# The sshd processes below $1: one or two for each connection.
below() {
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        name=$(cat "/proc/$child/comm" 2>/dev/null)
        case $name in sshd*) echo "$child"; below "$child" ;; esac
    done
}

start() {
    rm -f "$folder/pid"
    LD_PRELOAD=$PRELOAD "$sshd" -D -f "$folder/config" -E "$folder/log" </dev/null >/dev/null 2>&1 &
    listener=$!
    until [ -s "$folder/pid" ]; do
        kill -0 "$listener" 2>/dev/null || { listener=; echo failed; return; }
        sleep 0.01
    done
    echo started
}

sessions() {
    [ -n "$listener" ] || return
    # Stopped meanwhile, so that none is born unseen.
    kill -STOP "$listener"
    found=$(below "$listener")
    [ -z "$found" ] || kill -KILL $found
    kill -CONT "$listener"
}

stop() {
    [ -n "$listener" ] || return
    kill -STOP "$listener"
    kill -KILL $(below "$listener") "$listener"
    wait "$listener"
    listener=
}

commands() {
    while found=$(grep -lsa "$mark" /proc/[0-9]*/environ); [ -n "$found" ]; do
        for place in $found; do
            place=${place#/proc/}
            kill -KILL "${place%/environ}" 2>/dev/null
        done
    done
}

while read -r word; do
    case $word in
        start) start ;;
        stop) stop; echo stopped ;;
        sessions) sessions; echo killed ;;
    esac
done 2>/dev/null
{ stop; commands; } 2>/dev/null
rm -rf "$folder"
