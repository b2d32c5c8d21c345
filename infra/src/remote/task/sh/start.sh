# The scripts' first: the keeper's follows on standard input, then the command's, then the command.
[ ! -e "$lethe_place/started" ] || { lethe_say there; exit; }
[ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ] || { lethe_say unable proc; exit; }
command -v setsid >/dev/null || { lethe_say unable setsid; exit; }
mkdir -p "$lethe_place" 2>/dev/null || { lethe_say unable folder; exit; }
# Not in the background, where INT and QUIT would be ignored for good. The keeper lets go of the
# pipe once it has answered, and nobody waits for it.
LETHE_RUN=$lethe_task setsid sh -c "$lethe_load_keeper" lethe "$lethe_mask" 2>/dev/null | {
    read -r lethe_answer
    lethe_say "${lethe_answer:-unable folder}"
    kill -KILL $$
}
