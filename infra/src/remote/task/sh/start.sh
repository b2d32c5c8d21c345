# The scripts' first: the keeper's follows on standard input, then the command's, then the command.
[ ! -e "$lethe_place/started" ] || { lethe_say there; exit; }
[ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ] || { lethe_say unable proc; exit; }
for lethe_tool in setsid tee wc; do
    command -v "$lethe_tool" >/dev/null || { lethe_say unable setsid; exit; }
done
mkdir -p "$lethe_place" 2>/dev/null || { lethe_say unable folder; exit; }

# Under the user's own manager, where that outlives the login, the end of the login kills nothing.
lethe_is_lingering() {
    [ -n "$XDG_RUNTIME_DIR" ] && command -v systemd-run && command -v loginctl || return
    case $(loginctl show-user "$(id -u)" -p Linger) in *=yes) ;; *) return 1 ;; esac
    case $(systemctl --user is-system-running) in running | degraded) ;; *) return 1 ;; esac
    systemd-run --user --scope --quiet true
} </dev/null >/dev/null 2>&1

# What has lost its parent below a subreaper (prctl 36, kept by exec) becomes the subreaper's child.
lethe_prctl() {
    [ -z "${PERL5OPT+set}" ] && perl -e 1 </dev/null >/dev/null 2>&1 || return
    case $(uname -m) in
        x86_64) echo 157 ;;
        aarch64 | riscv64 | loongarch64) echo 167 ;;
        ppc64*) echo 171 ;;
        s390x | i?86 | arm*) echo 172 ;;
    esac
}

set -- sh -c "$lethe_load_keeper" lethe "$lethe_mask"
lethe_number=$(lethe_prctl)
[ -z "$lethe_number" ] || set -- perl -e "syscall($lethe_number,36,1,0,0,0);exec@ARGV" "$@"
set -- setsid "$@"
! lethe_is_lingering || set -- systemd-run --user --scope --quiet --unit="lethe-$lethe_task-$$" "$@"
# Not in the background, where INT and QUIT would be ignored for good. The keeper lets go of the
# pipe once it has answered, and nobody waits for it.
LETHE_RUN=$lethe_task "$@" 2>/dev/null | {
    read -r lethe_answer
    lethe_say "${lethe_answer:-unable folder}"
    kill -KILL $$
}
