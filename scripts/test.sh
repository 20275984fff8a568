#!/bin/sh
# test.sh GO-TEST-ARGUMENT...: go test, told shortly. Failures are shown whole,
# skipped tests by name and reason; the last line counts.
set -eu
go=${GO:-go}
mkdir -p .cache/bin
"$go" mod download # says nothing, unlike the commands that would do it on the way
"$go" build -o .cache/bin/testreport ./scripts/testreport
"$go" test -timeout 15m -json "$@" | .cache/bin/testreport
