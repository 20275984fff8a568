#!/bin/sh
# fuzz.sh DURATION: runs every fuzz target of the module, one after the other.
set -eu
duration=$1
go=${GO:-go}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz PACKAGE TARGET: Go sometimes reports its own end of time as a failure;
# only a failing input is one.
fuzz() {
    "$go" test -run '^$' -fuzz "^$2\$" -fuzztime "$duration" "$1" >"$log" 2>&1 && return
    grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"
}

passed=0 failed=0
for package in $("$go" list ./...); do
    for target in $("$go" test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
        if fuzz "$package" "$target"; then
            passed=$((passed + 1))
            echo "ok    $package $target"
        else
            failed=$((failed + 1))
            cat "$log"
            echo "FAIL  $package $target"
        fi
    done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
