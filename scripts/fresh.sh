#!/bin/sh
# fresh.sh: makes the generated files anew and fails when that changes any.
set -eu
before=$(git status --porcelain)
"${GO:-go}" generate ./...
after=$(git status --porcelain)
if [ "$before" != "$after" ]; then
    echo "generated files are stale; run make generate and commit:" >&2
    git status --porcelain >&2
    exit 1
fi
