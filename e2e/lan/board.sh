#!/bin/sh
# board.sh ROOT SERVER LOGIN NAME: is a small Linux board. It runs in name
# spaces of its own (network, mounts, processes), builds a file system at ROOT
# out of this machine's programs and files of its own, and starts there what a
# board starts: an SSH server, avahi-daemon, and the device program.
#
#   SERVER  openssh | dropbear
#   LOGIN   key | password | none  (none: root has an empty password)
#
# Without ROOT/opt/arm/mbl-device it is a bare board, which has and announces
# nothing of ours. A file ROOT/systemctl makes it look as if systemd ran it; with
# ROOT/silent it has no avahi.
set -eu
root=$1 server=$2 login=$3 name=$4

# What makes it a board of its own: its users, its secrets, its state.
mkdir -p "$root/root/.ssh" "$root/etc/ssh" "$root/etc/dropbear" "$root/run/sshd" \
    "$root/run/avahi-daemon" "$root/var/empty" "$root/var/log" "$root/tmp" "$root/proc" "$root/dev" "$root/usr"
ln -sfn /run "$root/var/run"
chmod 700 "$root/root" "$root/root/.ssh"
chmod 1777 "$root/tmp"
echo "$name" >"$root/etc/hostname"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
cat >"$root/etc/passwd" <<EOF
root:x:0:0:root:/root:/bin/sh
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
avahi:x:101:101::/run/avahi-daemon:/usr/sbin/nologin
EOF
printf 'root:x:0:\navahi:x:101:\nnogroup:x:65534:\n' >"$root/etc/group"
case $login in
none) hash='' ;;
password) hash=$(cat "$root/password-hash") ;;
key) hash='*' ;;
esac
printf 'root:%s:19000:0:99999:7:::\nsshd:!:19000::::::\navahi:!:19000::::::\n' "$hash" >"$root/etc/shadow"
chmod 600 "$root/etc/shadow"

# Programs come from this machine, read-only.
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
for dir in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$dir" ]; then
        ln -sfn "$(readlink "/$dir")" "$root/$dir"
    elif [ -d "/$dir" ]; then
        mkdir -p "$root/$dir"
        mount --bind "/$dir" "$root/$dir"
    fi
done
cp -P /etc/ld.so.cache /etc/ld.so.conf "$root/etc/" 2>/dev/null || true
if [ -f "$root/systemctl" ]; then
    mkdir -p "$root/run/systemd/system" "$root/etc/systemd/system"
    mount --bind "$root/systemctl" "$root/usr/bin/systemctl"
fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"

cat >"$root/etc/ssh/sshd_config" <<EOF
UsePAM no
PermitRootLogin yes
PermitEmptyPasswords yes
HostKey /etc/ssh/host_key
Subsystem sftp internal-sftp
EOF
[ -e "$root/silent" ] || mkdir -p "$root/etc/avahi/services"
[ -e "$root/silent" ] || cat >"$root/etc/avahi/avahi-daemon.conf" <<EOF
[server]
host-name=$name
use-ipv4=no
use-ipv6=yes
enable-dbus=no
[publish]
publish-workstation=no
EOF
[ ! -x "$root/opt/arm/mbl-device" ] || cat >"$root/etc/avahi/services/ssh.service" <<EOF
<service-group><name>$name</name>
<service><type>_ssh._tcp</type><port>22</port><txt-record>mblos</txt-record></service></service-group>
EOF
cat >"$root/etc/start" <<EOF
[ ! -e /etc/avahi ] || /usr/sbin/avahi-daemon --no-drop-root --no-chroot &
[ ! -x /opt/arm/mbl-device ] || while :; do /opt/arm/mbl-device run || true; sleep 1; done >/var/log/mbl-device.log 2>&1 &
case $server in
openssh)
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host_key
    exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config ;;
dropbear)
    exec /usr/sbin/dropbear -F -E -R -B -m ;;
esac
EOF
hostname "$name" 2>/dev/null || true # the caller gave us a name space for it
PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root exec chroot "$root" /bin/sh -eu /etc/start
