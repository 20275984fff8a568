# What mbl-cli doctor asks a device, as functions; the last line of the whole
# script calls them. Nothing is written. $mark stands before every answer, since
# what the tools print is theirs. A tool that is missing leaves its answer out.

mbl_say() { printf '\n%s %s\n' "$mark" "$*"; }

mbl_say_folder() {
	if [ ! -d "$2" ]; then
		mbl_say "$1" missing
	elif [ ! -w "$2" ]; then
		mbl_say "$1" read-only
	else
		mbl_say "$1" writable
		mbl_say "$1-free" "$(df -Pk "$2" 2>/dev/null | tail -n 1)"
	fi
}

mbl_say_util() {
	[ -x "$util" ] || return 0
	mbl_say util there
	# The util itself knows no --version, neither ours nor the original.
	mbl_say version "$(mbl-device --version 2>/dev/null </dev/null | head -n 1)"
	reason=$("$util" --get-pelion-status 2>&1 >/dev/null </dev/null)
	mbl_say provisioned $? "$reason"
}

mbl_say_server() {
	if command -v mbl-device >/dev/null 2>&1; then
		mbl_say state "$(mbl-device status --json 2>/dev/null </dev/null)"
		mbl_say server "$(mbl-device check-server --json --server="$1" 2>/dev/null </dev/null)"
	elif getent hosts "$2" >/dev/null 2>&1 || nslookup "$2" >/dev/null 2>&1; then
		mbl_say name known
	else
		mbl_say name unknown
	fi
}

mbl_doctor() {
	PATH=$PATH:/opt/arm:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	mbl_say clock "$(date +%s 2>/dev/null)"
	mbl_say_folder scratch "$scratch"
	mbl_say_util
	mbl_say_server "$server" "$name"
	mbl_say done
}
