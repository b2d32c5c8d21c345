# The scripts' first: the keeper's follows on standard input, then the command's, then the command.
[ ! -e "$place/started" ] || { say there; exit; }
[ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ] || { say unable proc; exit; }
command -v setsid >/dev/null || { say unable setsid; exit; }
mkdir -p "$place" 2>/dev/null || { say unable folder; exit; }
# Not in the background, where INT and QUIT would be ignored for good. The keeper lets go of the
# pipe once it has answered, and nobody waits for it.
LETHE_RUN=$task setsid sh -c "$load_keeper" lethe "$mask" 2>/dev/null | {
    read -r answer
    say "${answer:-unable folder}"
    kill -KILL $$
}
