#!/bin/sh
# systemd.sh UNIT FILES: boots this machine's systemd as the first process of a board
# that lies in memory, with FILES on it and /usr read-only, to start UNIT. It runs in mount,
# process, cgroup and network name spaces of its own; nothing of the machine is
# in its reach, since what systemd does at a boot (empty /tmp, set kernel
# parameters) is meant for machines it owns.
set -eu
unit=$1 files=$2
mount --make-rprivate /
root=$(mktemp -d)
mount -t tmpfs -o mode=755 board "$root"
cd "$root"
mkdir usr proc sys dev run tmp var etc opt root old
mount --bind /usr usr
mount -o remount,bind,ro usr
for link in bin sbin lib lib32 lib64; do
    if [ -L "/$link" ]; then ln -s "usr/$link" "$link"; fi
done
cp /etc/ld.so.cache etc/
printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\ntty:x:5:\nsystemd-journal:x:101:\nnogroup:x:65534:\n' >etc/group
printf 'passwd: files systemd\ngroup: files systemd\n' >etc/nsswitch.conf
printf '0123456789abcdef0123456789abcdef\n' >etc/machine-id
cp -R "$files"/. .
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 devices dev
mkdir dev/pts dev/shm
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mount -t tmpfs -o mode=755 run run
pivot_root . old
umount -l old
rmdir old
# The last look before systemd: what it sees as its own must be the board.
[ "$(stat -f -c %T /)" = tmpfs ] && [ "$(stat -f -c %T /tmp)" = tmpfs ] && [ ! -e /old ]
export container=board
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_boot,-sys_rawio,-syslog,-mknod \
    /lib/systemd/systemd --system --unit="$unit" --log-target=console --show-status=no
