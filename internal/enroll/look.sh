# What mbl-cli enroll asks a board before anything is done; the last line of
# the whole script calls it. Nothing is written. $mark stands before every
# answer, $root before every path (it is empty but in tests).

mbl_say() { printf '\n%s %s\n' "$mark" "$*"; }

mbl_look_at() {
	if [ -L "$root$1" ]; then
		mbl_say have "$1" link "$(readlink "$root$1")"
	elif [ -d "$root$1" ]; then
		mbl_say have "$1" dir
	elif [ -f "$root$1" ]; then
		sum=$(sha256sum <"$root$1")
		mbl_say have "$1" file "${sum%% *}"
	elif [ -e "$root$1" ]; then
		mbl_say have "$1" other
	fi
}

mbl_look() {
	PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	mbl_say kernel "$(uname -s)"
	mbl_say machine "$(uname -m)"
	mbl_say user "$(id -u)"
	for as in doas sudo; do # the last that works counts
		if command -v $as >/dev/null 2>&1 && $as -n true </dev/null 2>/dev/null; then mbl_say become $as; fi
	done
	if command -v sha256sum >/dev/null 2>&1; then mbl_say sums yes; fi
	if [ -d "$root/run/systemd/system" ] && command -v systemctl >/dev/null 2>&1; then mbl_say init systemd; fi
	if [ -f "$root$manifest" ]; then mbl_say manifest "$(head -c 65536 "$root$manifest")"; fi
	for path; do mbl_look_at "$path"; done
	mbl_say done
}
