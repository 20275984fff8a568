# What mbl-cli enroll has a board do, as functions; the last line of the whole
# script calls them, so that a script cut short does nothing. Everything is
# written beside its place first, then moved there; whatever fails, all is as
# before. $mark stands before every line that is ours, $root before every path
# (it is empty but in tests). The program itself follows on standard input.

mbl_say() { printf '\n%s %s\n' "$mark" "$*"; }

mbl_problem() {
	mbl_say problem "$@"
	exit 1
}

mbl_begin() {
	umask 022
	PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	staged= placed= dirs= started= whole=
	trap mbl_end EXIT
	{
		trap '' PIPE
		trap 'mbl_problem stopped' HUP
		trap 'mbl_problem stopped' INT
		trap 'mbl_problem stopped' TERM
	} 2>/dev/null
}

mbl_mkdir() {
	mkdir "$root$2" || mbl_problem write "$2"
	dirs="$2 $dirs"
	chmod "$1" "$root$2" || mbl_problem write "$2"
}

mbl_new() { printf %s "$root${1%/*}/.mbl-new/${1##*/}"; }
mbl_old() { printf %s "$root${1%/*}/.mbl-old/${1##*/}"; }

mbl_stage_dir() {
	staged="$staged $1"
	mkdir -p "$root${1%/*}/.mbl-new" || mbl_problem write "$1"
}

# mbl_stage MODE PATH SUM: takes a file from standard input.
mbl_stage() {
	mbl_stage_dir "$2"
	new=$(mbl_new "$2")
	cat >"$new" && chmod "$1" "$new" || mbl_problem write "$2"
	sum=$(sha256sum <"$new")
	[ "${sum%% *}" = "$3" ] || mbl_problem damaged "$2"
}

mbl_stage_link() {
	mbl_stage_dir "$1"
	ln -s "$2" "$(mbl_new "$1")" || mbl_problem write "$1"
}

mbl_try() {
	"$(mbl_new "$1")" --version </dev/null >/dev/null || mbl_problem does-not-run "$1"
}

mbl_place() {
	for path in $staged; do
		if [ -e "$root$path" ] || [ -L "$root$path" ]; then
			mkdir -p "$root${path%/*}/.mbl-old" && cp -pP "$root$path" "$(mbl_old "$path")" || mbl_problem write "$path"
		fi
		placed="$path $placed"
		mv -f "$(mbl_new "$path")" "$root$path" || mbl_problem write "$path"
	done
}

mbl_systemd() {
	case $1 in
	start)
		systemctl daemon-reload && systemctl enable mbl-device.service && systemctl restart mbl-device.service ;;
	stop)
		systemctl disable --now mbl-device.service ;;
	gone)
		systemctl daemon-reload ;;
	esac
}

mbl_sysv() {
	case $1 in
	start) "$root/etc/init.d/mbl-device" restart ;;
	stop) [ ! -x "$root/etc/init.d/mbl-device" ] || "$root/etc/init.d/mbl-device" stop ;;
	esac
}

# The daemon must not hold the connection open: only its errors are ours.
mbl_start() {
	started=$1
	"mbl_$1" start </dev/null >/dev/null || mbl_problem start "$1"
}

mbl_stop() { "mbl_$1" stop </dev/null >/dev/null 2>&1; }

# mbl_remove PATH SUM: a file that somebody changed is theirs now.
mbl_remove() {
	[ -f "$root$1" ] || return 0
	sum=$(sha256sum <"$root$1")
	if [ "${sum%% *}" != "$2" ]; then
		mbl_say kept "$1"
		return 0
	fi
	rm -f "$root$1" || mbl_problem write "$1"
}

mbl_remove_link() {
	[ -L "$root$1" ] || return 0
	if [ "$(readlink "$root$1")" != "$2" ]; then
		mbl_say kept "$1"
		return 0
	fi
	rm -f "$root$1" || mbl_problem write "$1"
}

# Where the service has a user of its own, systemd keeps the state of
# /var/lib/NAME in /var/lib/private/NAME and leaves a link.
mbl_remove_tree() { rm -rf "$root$1" "$root${1%/*}/private/${1##*/}" || mbl_problem write "$1"; }

# A folder in which others put something stays.
mbl_rmdir() {
	[ ! -d "$root$1" ] || rmdir "$root$1" 2>/dev/null || mbl_say kept "$1"
}

mbl_done() {
	whole=1
	mbl_say done
}

mbl_end() {
	{ trap '' HUP INT TERM; } 2>/dev/null
	[ -n "$whole" ] || mbl_roll_back
	for path in $staged; do
		rm -rf "$root${path%/*}/.mbl-new" "$root${path%/*}/.mbl-old"
	done
	[ -n "$whole" ] || mbl_unmake_dirs
}

# What the service wrote into a state folder of our making goes with it.
mbl_unmake_dirs() {
	for path in $dirs; do
		[ "$path" != "$state" ] || rm -rf "$root$path" "$root${path%/*}/private/${path##*/}"
		rmdir "$root$path" 2>/dev/null
	done
}

mbl_roll_back() {
	[ -z "$started" ] || mbl_stop "$started"
	for path in $placed; do
		if [ -e "$(mbl_old "$path")" ] || [ -L "$(mbl_old "$path")" ]; then
			mv -f "$(mbl_old "$path")" "$root$path"
		else
			rm -f "$root$path"
		fi
	done
	[ -z "$started" ] || [ -z "$before" ] || "mbl_$started" start </dev/null >/dev/null 2>&1
	[ "$started" != systemd ] || mbl_systemd gone >/dev/null 2>&1
}
