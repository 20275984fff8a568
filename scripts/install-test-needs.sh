#!/bin/sh
# install-test-needs.sh test|interop: other people's programs the tests work with.
# On Debian as root it installs what is missing; elsewhere it says what is
# missing and stops.
set -eu

# One line a program: command, Debian package.
case ${1:-} in
test) wanted='
git git
sshd openssh-server
ssh openssh-client
dropbear dropbear-bin
avahi-daemon avahi-daemon
avahi-browse avahi-utils
dbus-daemon dbus
ip iproute2
tmux tmux
zsh zsh
fish fish
bash-completion bash-completion
busybox busybox
unshare util-linux
sysctl procps
openssl openssl
cc gcc
pkg-config pkg-config
libssl-dev libssl-dev
coap-client-openssl libcoap3-bin
python3 python3-minimal
nft nftables
swtpm swtpm
qemu-aarch64-static qemu-user-static
systemd-analyze systemd' ;;
interop) wanted='
openssl openssl
coap-client-openssl libcoap3-bin
python3 python3-minimal
python3-venv python3-venv
node nodejs
npm npm
cc gcc
make make
autoconf autoconf
automake automake
python3-dev python3-dev
javac default-jdk-headless
mvn maven' ;;
*)
    echo "usage: install-test-needs.sh test|interop" >&2
    exit 2 ;;
esac

PATH=$PATH:/usr/sbin:/sbin

have() {
    case $1 in
    # Debian's python3 has the module venv but not what it needs to make one.
    python3-venv) python3 -c 'import venv, ensurepip' 2>/dev/null ;;
    python3-dev) python3 -c 'import sysconfig, os; os.stat(sysconfig.get_paths()["include"] + "/Python.h")' 2>/dev/null ;;
    # The static one runs its own commands whatever PATH says; no board's does.
    busybox) command -v busybox >/dev/null && ! busybox sh -c 'PATH=/nowhere; mv --help' >/dev/null 2>&1 ;;
    bash-completion) [ -e /usr/share/bash-completion/bash_completion ] ;;
    libssl-dev) pkg-config --exists 'openssl >= 3.0' 2>/dev/null ;;
    cc) command -v cc >/dev/null && [ -e /usr/include/stdlib.h ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing_packages() {
    echo "$wanted" | while read -r command package; do
        [ -z "$command" ] || have "$command" || echo "$package"
    done | sort -u | tr '\n' ' '
}

missing=$(missing_packages)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need programs that are not here; in Debian's words: $missing" >&2
    echo "Install them and try again (on Debian, root's make does it by itself)." >&2
    exit 1
fi

# Packages of servers start them; the tests want the programs alone. Debian's
# way to say so is a policy-rc.d, which is ours to put up only where none is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

# gcc alone brings no C library headers without its recommendations.
case " $missing " in *" gcc "*) missing="$missing libc6-dev" ;; esac

echo "installing for the tests: $missing" >&2
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of package names
if ! { apt-get -q update && apt-get -q install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
still=$(missing_packages)
[ -z "$still" ] || { echo "still missing after installing: $still" >&2; exit 1; }
