# Keeps one machine of a test, in a mount namespace of its own. $1: its folder, $2: its port, $3: the folder
# of tools. The test holds the other end of our stdin and speaks one word a line; however the test ends,
# kill -9 included, that pipe closes, and nothing of the machine is left.
trap : HUP INT TERM PIPE
folder=$1 port=$2 tools=$3 init= parent= greedy=
group=$folder/disk/cgroup/lethe-machine-$port

# By which what belongs to the machine itself differs from what it was asked to run.
export LETHE_MACHINE=own folder port tools
exec 2>>"$folder/console"

# The sshd processes below $1: one or two for each connection.
below() {
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        name=$(cat "/proc/$child/comm" 2>/dev/null)
        case $name in sshd*) echo "$child"; below "$child" ;; esac
    done
}

# The process that listens: alone a child of the first one.
listener() {
    below "$init" | head -n 1
}

inside() (
    echo 0 >"$group/cgroup.procs"
    exec nsenter --target "$init" --mount --pid --uts --ipc --cgroup --root --wd=/ -- "$@"
)

boot() {
    cd "$folder/disk" || return
    cat /proc/sys/kernel/random/uuid >boot_id
    (
        echo 0 >"$group/cgroup.procs"
        exec setpriv --pdeathsig KILL unshare --mount --pid --uts --ipc --cgroup --fork --kill-child \
            sh "$folder/init.sh" "$folder/disk/root" "$PROC_OPTIONS" "$FIRST"
    ) </dev/null >&2 &
    parent=$!
    until [ -n "$init" ] && [ -e "/proc/$init/root/run/machine-up" ]; do
        kill -0 "$parent" || return
        init=$(cat "/proc/$parent/task/$parent/children")
        init=${init% }
        sleep 0.01
    done
    start
}

# Each user may have a number of instances on the whole host, which is why no two machines share a user.
use_up_inotify() {
    : >up
    setpriv --pdeathsig KILL python3 -c '
import ctypes, os, signal, sys
for uid in sys.argv[1:]:
    os.seteuid(int(uid))
    while ctypes.CDLL(None).inotify_init() >= 0: pass
    os.seteuid(0)
print("up", flush=True)
signal.pause()' $INOTIFY_UIDS </dev/null >up &
    greedy=$!
    until [ -s up ]; do
        kill -0 "$greedy" || return
        sleep 0.01
    done
}

start() {
    inside /usr/sbin/sshd -E /var/log/sshd.log </dev/null >&2 || return
    until [ -s "/proc/$init/root/run/sshd.pid" ]; do
        [ -n "$(listener)" ] || return
        sleep 0.01
    done
}

sessions() {
    found=$(listener)
    [ -n "$found" ] || return 0
    # Stopped meanwhile, so that none is born unseen.
    kill -STOP "$found"
    each=$(below "$found")
    [ -z "$each" ] || kill -KILL $each
    kill -CONT "$found"
}

stop() {
    found=$(listener)
    [ -n "$found" ] || return 0
    kill -STOP "$found"
    kill -KILL $(below "$init")
    rm -f "/proc/$init/root/run/sshd.pid"
    while [ -n "$(below "$init")" ]; do sleep 0.01; done
}

halt() {
    [ -n "$init" ] || return 0
    # Frozen first, so that no process sees another one die.
    echo 1 >"$group/cgroup.freeze"
    until grep -q '^frozen 1' "$group/cgroup.events"; do sleep 0.01; done
    kill -KILL "$init"
    while grep -q '^State:.[^Z]' "/proc/$init/status"; do sleep 0.01; done
    echo 0 >"$group/cgroup.freeze"
    wait "$parent"
    init=
}

end() {
    halt
    [ -z "$greedy" ] || kill -KILL "$greedy"
    [ ! -d "$group" ] || rmdir $(find "$group" -depth -type d)
    # Everything that was mounted below it goes with it, and nothing else may be removed.
    cd / || return
    umount -l "$folder/disk"
    rm -rf --one-file-system "$folder"
}

answer() {
    if "$@"; then echo "done $init"; else echo failed; fi
}

set_up() {
    sh -e "$folder/place.sh" && boot || return
    [ -z "$INOTIFY_UIDS" ] || use_up_inotify
}

answer set_up
while read -r word; do
    case $word in
        start) answer start ;;
        stop) answer stop ;;
        sessions) answer sessions ;;
        reboot) halt; answer boot ;;
    esac
done
end
