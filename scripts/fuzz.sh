#!/bin/sh
# fuzz.sh DURATION: runs every fuzz target of the module, one after the other.
set -eu
duration=$1
go=${GO:-go}
passed=0
for package in $("$go" list ./...); do
    for target in $("$go" test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
        echo "$package $target"
        "$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "$package"
        passed=$((passed + 1))
    done
done
echo "$passed fuzz targets, nothing found"
