# What mbl-cli has the device do, as functions; the last line of the whole
# script calls them. A script that arrives cut short therefore does nothing.
# Any POSIX shell will do. $mark stands before every line that is ours, since
# what the tools print is theirs.

mbl_mark() { printf '\n%s %s\n' "$mark" "$*"; }
mbl_mark_both() { mbl_mark "$@"; mbl_mark "$@" >&2; }

mbl_problem() {
	mbl_mark_both problem "$1"
	exit 1
}

# A shell runs its traps only between commands or in wait, so tools run in the
# background. PIPE is ignored, else a lost connection would kill the shell
# before it has tidied up.
mbl_begin() {
	umask 077
	PATH=$PATH:/opt/arm:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	child= watcher= made= marked=
	trap mbl_tidy EXIT
	{
		trap '' PIPE
		trap 'mbl_problem stopped' HUP
		trap 'mbl_problem stopped' INT
		trap 'mbl_problem stopped' TERM
	} 2>/dev/null
	# Without a kill of its own this is no real shell, and $$ another program.
	if [ "$(command -v kill)" = kill ]; then
		mbl_watch 2>/dev/null &
		watcher=$!
	fi
}

# mbl_watch notices a lost connection, and a tool that never ends.
mbl_watch() {
	left=$patience
	while [ "$left" -gt 0 ] && sleep 1 >/dev/null && kill -0 $$ && mbl_mark beat; do
		left=$((left - 1))
	done
	[ "$left" -gt 0 ] || mbl_mark problem slow
	kill -TERM $$ # HUP may be ignored: a server started with nohup hands that on
}

mbl_tidy() {
	{ trap '' HUP INT TERM; } 2>/dev/null
	# A new subshell may lose any other signal while it resets its traps.
	[ -z "$watcher" ] || kill -KILL "$watcher" 2>/dev/null
	[ -z "$child" ] || kill "$child" 2>/dev/null
	# No return here: while it exits, the sandbox's interpreter goes on behind it.
	if [ -n "$marked" ] && ! mbl_ours; then
		mbl_mark_both tidy gone # by whoever took it
	elif [ -n "$made" ]; then
		rm -rf "$dir"
		if [ -e "$dir" ]; then mbl_mark_both tidy left; else mbl_mark_both tidy gone; fi
	fi
}

mbl_tool() {
	tool=$1
	shift
	mbl_mark_both begin "$tool"
	"$@" </dev/null &
	child=$!
	wait "$child"
	code=$?
	child=
	mbl_mark_both end "$tool" "$code"
}

mbl_need_util() {
	[ -e "$util" ] || mbl_problem no-util
	[ -x "$util" ] || mbl_problem bad-util
	[ -s "$util" ] || mbl_problem bad-util # a shell would run it as a script, with success
}

# Somebody else who provisions the device begins with deleting the folder, and
# then has one of the same name. A file of ours tells whose it is, and what is
# written goes into ours wherever that is now: no run gets files of another.
mbl_make_dir() {
	parent=${dir%/*}
	[ -d "$parent" ] || mbl_problem no-scratch
	[ -w "$parent" ] || mbl_problem read-only
	made=1
	rm -rf "$dir" || rm -rf "$dir" || mbl_problem write # the first may meet files that are being written
	mkdir -m 700 "$dir" || { [ ! -d "$dir" ] || mbl_taken; mbl_problem write; }
	cd "$dir" && printf '' >"$own" || mbl_problem write
	marked=1
}

mbl_ours() { [ -e "$dir/$own" ]; }

mbl_taken() {
	made= # it is theirs to delete
	mbl_problem taken
}

mbl_need_ours() { mbl_ours || mbl_taken; }

# mbl_put NAME FORMAT: printf is part of the shell, so that the secret stands
# in no list of processes. It does not say why it failed; cat does.
mbl_put() {
	printf "$2" >"$1.bin" || printf "$2" | cat >"$1.bin" || { mbl_need_ours; mbl_problem write; }
}

mbl_provision() {
	cd /
	mbl_need_ours
	mbl_tool provision "$util" --provision
	[ ! -d "$dir" ] || mbl_need_ours # a util may delete what it has taken in
	[ "$code" = 0 ] || exit 0
	mbl_status
}

mbl_status() {
	mbl_tool status "$util" --get-pelion-status
	mbl_state
	mbl_mark done
}

mbl_state() {
	command -v mbl-device >/dev/null 2>&1 || return 0
	mbl_tool device mbl-device status --json
	mbl_tool host uname -n
}
