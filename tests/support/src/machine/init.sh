# The first process of a machine that boots: mounts what a boot makes anew, and stays to reap orphans.
# $1: its root, $2: options of /proc. It writes `up` to 3.
set -e
cd "$1"
mount -t proc -o "nosuid,nodev,noexec$2" proc proc
mount -t sysfs -o ro sys sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mount --bind ../boot_id proc/sys/kernel/random/boot_id
mkdir -p .before run/sshd run/lock
pivot_root . .before
cd /
umount -l /.before
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo machine >/proc/sys/kernel/hostname
echo up >&3
exec 3>&-
while :; do
    sleep 2147483647 &
    wait
done
