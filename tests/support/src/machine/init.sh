# The first process of a machine that boots: mounts what a boot makes anew, and stays to reap orphans, or
# becomes systemd. $1: its root, $2: options of /proc, $3: `systemd` or nothing. It is up with /run/machine-up.
set -e
cd "$1"
mount -t proc -o "nosuid,nodev,noexec$2" proc proc
mount -t sysfs -o ro sys sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
echo machine >proc/sys/kernel/hostname
# The rest of it is the host's.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind ../boot_id proc/sys/kernel/random/boot_id
mkdir -p .before run/sshd run/lock
pivot_root . .before
cd /
umount -l /.before
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ "$3" != systemd ] || exec env container=lethe /lib/systemd/systemd --system --unit=machine.target \
    --log-target=console --log-level=warning --show-status=no
: >/run/machine-up
while :; do
    sleep 2147483647 &
    wait
done
