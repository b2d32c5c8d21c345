# What a machine of a test stands on, made once, where only the mount namespace of its keeper sees it: a root
# that is the host's below and its own above, a small /dev, homes, and a folder of control groups.
umask 022
mount -t tmpfs -o size=1g,mode=755 machine "$folder/disk"
cd "$folder/disk"
mkdir -p upper/usr/bin upper/usr/sbin upper/usr/lib work root cgroup
touch boot_id up
[ ! -d "$tools/machine" ] || cp -R --preserve=mode "$tools/machine/." upper
[ ! -e upper/usr/bin/sudo ] || chmod 4755 upper/usr/bin/sudo
[ -x /usr/bin/busybox ] || cp "$tools/bin/busybox" upper/usr/bin
[ -x /usr/sbin/sshd ] || {
    cp "$tools/usr/sbin/sshd" upper/usr/sbin
    cp -R "$tools/usr/lib/openssh" upper/usr/lib
    for libraries in "$tools"/usr/lib/*-linux-gnu "$tools"/lib/*-linux-gnu; do
        [ ! -d "$libraries" ] || cp -R "$libraries" upper/usr/lib
    done
}
find "$folder/files" "$folder/home" -type d -exec chmod 755 {} +
cp -R --preserve=mode "$folder/files/." upper
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root

[ "$FIRST" != systemd ] || {
    rm -rf root/etc/systemd/system
    cp -R "$folder/units" root/etc/systemd/system
    grep -E '^(messagebus|polkitd|systemd-[a-z]*):' /etc/passwd >>root/etc/passwd
    grep -E '^(messagebus|polkitd|systemd-[a-z]*):' /etc/group >>root/etc/group
    : >root/etc/machine-id
    # What would change the host, or has nothing to do.
    for name in systemd-journald-audit.socket systemd-binfmt.service systemd-modules-load.service \
        systemd-random-seed.service systemd-sysctl.service systemd-sysusers.service; do
        ln -s /dev/null "root/etc/systemd/system/$name"
    done
}
mkdir -p root/opt/busybox root/mnt
for name in $(root/usr/bin/busybox --list); do ln -s /usr/bin/busybox "root/opt/busybox/$name"; done
for name in $LACKS; do rm -f "root/usr/bin/$name" "root/usr/sbin/$name" "root/bin/$name"; done
for script in "$folder"/instead/*; do
    [ -e "$script" ] || continue
    name=root/usr/bin/${script##*/}
    [ ! -e "$name" ] || mv "$name" "$name.real"
    cp --preserve=mode "$script" "$name"
done
touch root/mnt/record
chmod 666 root/mnt/record

mount -t tmpfs -o mode=755 dev root/dev
mkdir -m 755 root/dev/pts
mkdir -m 1777 root/dev/shm
for name in null zero full random urandom tty; do
    touch "root/dev/$name"
    mount --bind "/dev/$name" "root/dev/$name"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
ln -s fd/0 root/dev/stdin
ln -s fd/1 root/dev/stdout
ln -s fd/2 root/dev/stderr

mount -t tmpfs -o "mode=755,$HOME_OPTIONS" homes root/home
while read -r name uid; do
    mkdir "root/home/$name"
    cp -R "$folder/home/." "root/home/$name"
    chown -R "$uid:$uid" "root/home/$name"
done <"$folder/users"
[ -z "$FULL" ] || ! cat /dev/zero >root/home/filler 2>/dev/null

mount -t cgroup2 cgroup2 cgroup
mkdir -p "cgroup/lethe-machine-$port"
