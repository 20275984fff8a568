#!/bin/sh
# sessions.sh: records what a person sees who works with mbl-cli, in a terminal
# of 80 columns, with a service, virtual devices and an OpenSSH server on this
# machine, and writes it to docs/walkthrough.md; with --check it fails where that
# page tells something else. Ids, keys, ports and times are made the same each
# time.
set -eu
cd "$(dirname "$0")/.."

# In a network of its own, where that can be had: other virtual devices of this
# machine would answer too.
if [ -z "${own_network:-}" ]; then
    for root in '' --map-root-user; do
        if unshare $root --net ip link set lo up 2>/dev/null; then
            export own_network=1
            exec unshare $root --net sh -c 'ip link set lo up; exec sh scripts/sessions.sh "$@"' sh "$@"
        fi
    done
fi

bin=$PWD/bin
page=$PWD/docs/walkthrough.md
work=$(mktemp -d)
running=
tmux_() { tmux -L "mbl-sessions-$$" -f /dev/null "$@"; }

finish() {
    tmux_ kill-server 2>/dev/null || true
    for pid in $running; do { kill "$pid" && kill -CONT "$pid"; } 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# patiently COMMAND...: until it succeeds, for a minute.
patiently() {
    left=600
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" = 0 ]; then
            echo "sessions.sh: waited in vain for: $*" >&2
            screen >&2
            exit 1
        fi
        sleep 0.1
    done
}

start() { # LOG PROGRAM ARG...
    log=$work/$1
    shift
    "$@" >"$log" 2>&1 &
    running="$running $!"
}

device() { # NAME FLAG...
    name=$1
    shift
    start "$name.log" "$bin/mbl-sandbox" device --root "$work/$name" --name "$name" "$@"
    set -- "$name"
    patiently test -s "$work/$1/run.json"
}

field() { sed -n "s/.*\"$2\": *\"\([^\"]*\)\".*/\1/p" "$1"; }

screen() { tmux_ capture-pane -p -J -S - -t person 2>/dev/null || true; }
shows() { screen | grep -qF -- "$1"; }
# waits_at PROMPT: it stands in the last line, alone.
waits_at() { [ "$(screen | sed '/^ *$/d' | tail -n 1 | sed 's/ *$//')" = "$1" ]; }
prompted() { waits_at '$'; }
keys() { tmux_ send-keys -t person -l -- "$1"; }
enter() { tmux_ send-keys -t person Enter; }
press() { tmux_ send-keys -t person "$1"; }

# ended_as TEXT: a device's line ends with it.
ended_as() { screen | grep -q ": $1 *\$"; }

# hold DEVICE and release DEVICE: what it was doing stands still meanwhile, so
# that the screen can be looked at.
pid_of() { sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$work/$1/run.json"; }
hold() { kill -STOP "$(pid_of "$1")"; }
release() { kill -CONT "$(pid_of "$1")"; }

# type_ COMMAND [QUESTION ANSWER]...: types a command and what is asked for.
type_() {
    keys "$1"
    enter
    shift
    while [ $# -gt 0 ]; do
        patiently shows "$1"
        keys "$2"
        enter
        shift 2
    done
    sleep 0.2
    patiently prompted
}

same() {
    sed -e "s#$work/home#~#g" -e "s#$work#/tmp/work#g" \
        -e 's/[0-9a-f]\{64\}/<fingerprint>/g' -e 's/[0-9a-f]\{32\}/<id>/g' \
        -e 's/SHA256:[A-Za-z0-9+\/]*/SHA256:<fingerprint>/g' \
        -e 's/\(127\.0\.0\.[0-9]\):[0-9]*/\1:<port>/g' -e 's/\[127\.0\.0\.1\]:[0-9]*/[127.0.0.1]:<port>/g' \
        -e 's/^ *[0-9]*% |[^|]*| (.*\/\([0-9]* [KMG]iB\), .*/ <n>% |██████████████                    | (<n>\/\1, <speed>) [<time>]/' \
        -e 's/20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]\( [0-9:]*Z\)\{0,1\}/<date>/g' \
        -e 's/[A-Z][a-z][a-z] [ 0-9][0-9] [0-9][0-9]:[0-9][0-9]/<date>/g' \
        -e 's/ [0-9a-f]\{16\}\( \|$\)/ <fingerprint>\1/g' \
        -e 's/([0-9.]* [KM]iB\/s)/(<speed>)/g' -e 's/ *$//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

clean() {
    type_ clear
    tmux_ clear-history -t person
}

# scene TITLE: begins a part of the page with an empty screen.
scene() {
    title=$1
    clean
}

# frame TEXT: keeps what the screen shows just now, with a word about it.
frame() {
    [ -z "$title" ] || printf '\n## %s\n' "$title" >>"$work/page.md"
    title=
    { printf '\n%s\n\n```\n' "$1"; screen | same; printf '```\n'; } >>"$work/page.md"
}

# cut TEXT: ends it with a word about it.
cut_() {
    [ -z "$title" ] || printf '\n## %s\n' "$title" >>"$work/page.md"
    { printf '\n%s\n\n```\n' "$1"; screen | sed '$!b' | same | sed -e '${/^\$$/d;}'; printf '```\n'; } >>"$work/page.md"
}

mkdir -p "$work/home"
start cloud.log "$bin/mbl-cloud" serve --data "$work/cloud" --http 127.0.0.1:0 --https '' --bootstrap 127.0.0.1:0 --lwm2m 127.0.0.1:0 --download 127.0.0.1:0 --host 127.0.0.1
patiently test -s "$work/cloud/run.json"
url=$(field "$work/cloud/run.json" http)
key=$("$bin/mbl-cloud" api-key create --data "$work/cloud" --name walkthrough --group administrators)
device board-1
for n in 2 3; do device "board-$n" --announce=false --ssh "127.0.0.$n:0"; done # lists are in the order of answers
first=$(field "$work/board-1/run.json" ssh)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# bench is other people's SSH server with a shell of its own.
mkdir -p "$work/home/.ssh" "$work/bench"
ssh-keygen -q -t ed25519 -N '' -f "$work/bench/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$work/home/.ssh/bench_key"
cat >"$work/bench/sshd_config" <<END
ListenAddress 127.0.0.1:$port
HostKey $work/bench/host_key
AuthorizedKeysFile $work/home/.ssh/bench_key.pub
StrictModes no
UsePAM no
PidFile none
ForceCommand exec env -i HOME=$work/bench PATH=$PATH TERM=\$TERM LANG=C.UTF-8 PS1='bench# ' sh -i
END
start sshd.log "$(PATH=$PATH:/usr/sbin command -v sshd)" -D -e -f "$work/bench/sshd_config"
cat >"$work/home/.ssh/config" <<END
Host bench
    HostName 127.0.0.1
    Port $port
    User $(id -un)
    IdentityFile ~/.ssh/bench_key
END
echo "[127.0.0.1]:$port $(cat "$work/bench/host_key.pub")" >"$work/home/.ssh/known_hosts"

tmux_ new-session -d -s person -x 80 -y 50 \
    "env -i HOME=$work/home PATH=$bin:$PATH TERM=screen LANG=C.UTF-8 MBED_CLOUD_SDK_HOST=$url PS1='$ ' sh -c 'cd; exec bash --norc --noprofile'"
patiently prompted

cat >"$work/page.md" <<'END'
# A walk through mbl-cli

What a person sees, recorded by `make sessions` in a terminal of 80 columns, with a service and three virtual devices on one machine. Ids, ports, dates and fingerprints are left out.
END

scene 'The first device'
type_ 'mbl-cli select' 'Select a device from the list:' 1
cut_ 'Devices show up as they answer; the number chooses one.'

scene 'An API key'
type_ 'mbl-cli save-api-key -' 'API key:' "$key"
cut_ 'The key is typed or pasted and not shown. It is checked before it is kept.'

scene 'An update certificate'
type_ 'mbl-cli create-update-certificate updates --domain example.com --model board'
cut_ 'Who signs firmware: made once for a kind of device.'

scene 'Provisioning'
type_ 'mbl-cli provision-pelion boards updates --create-dev-cert' 'Trust it? [y/N]' y
cut_ 'A device that was never connected to shows its host key first.'

scene 'Is it connected?'
type_ 'until mbl-cli -q get-pelion-status | grep -q "^connected *yes"; do sleep 1; done'
clean
type_ 'mbl-cli get-pelion-status'
cut_ 'The device says whether it is provisioned, the service whether it is connected.'

scene 'Certificates'
type_ 'mbl-cli list-certificates'
type_ 'mbl-cli delete-certificate boards' '[y/N]' n
cut_ 'Both sides in one list. Deleting says which devices hang on it, and asks.'

scene 'Many devices'
hold board-2
hold board-3
keys "mbl-cli -a $first -a $(field "$work/board-2/run.json" ssh) -a $(field "$work/board-3/run.json" ssh) provision-pelion boards updates --accept-new-host-key"
enter
patiently shows ': provisioned already'
sleep 0.3
frame 'A line for each; those that are worked with change where they stand.'
release board-2
patiently ended_as 'provisioned'
release board-3
patiently prompted
cut_ 'At the end there is a line for each; a second run does only what is left.'

scene 'Files and commands'
head -c 3000000 /dev/zero >"$work/home/image.bin"
type_ 'mbl-cli put image.bin /scratch/image.bin'
type_ 'mbl-cli get /scratch/image.bin copy.bin'
type_ "mbl-cli shell 'ls -l /scratch; exit 3'; echo \"exit code \$?\""
cut_ 'A command gets its input and output as they are, and its exit code comes back.'

scene 'A large file'
head -c 268435456 /dev/zero >"$work/home/large.bin"
keys 'mbl-cli put large.bin /scratch/large.bin'
enter
until screen | grep -q '[2-9][0-9]% '; do :; done
hold board-1
sleep 0.5
frame 'While it copies, a bar shows how far it is.'
release board-1
patiently prompted
cut_ 'Then the bar is gone.'

scene 'A shell on the device'
keys 'mbl-cli -c bench shell'
enter
patiently waits_at 'bench#'
in_shell() { keys "$1"; enter; sleep 0.3; patiently waits_at 'bench#'; }
in_shell 'stty size'
tmux_ resize-window -t person -x 100 -y 40
sleep 1
in_shell 'stty size # the window is larger now'
keys 'sleep 600'
enter
sleep 0.5
press C-c
patiently waits_at 'bench#'
in_shell 'printf "größe ✓\n"'
keys 'exit 7'
enter
patiently prompted
type_ 'echo "exit code $?"'
cut_ 'A Host of `~/.ssh/config`, here an OpenSSH server. Its programs see the size of the window, also when that changes; Ctrl-C goes to them.'
tmux_ resize-window -t person -x 80 -y 50

scene 'What went wrong?'
type_ 'mbl-cli -a 127.0.0.1:9 doctor'
cut_ 'doctor goes from link to link and names what mends a broken one.'

if [ "${1:-}" = --check ]; then
    diff -u "$page" "$work/page.md" || {
        echo "docs/walkthrough.md tells something else; run make sessions" >&2
        exit 1
    }
    exit 0
fi
cp "$work/page.md" "$page"
echo "wrote docs/walkthrough.md"
