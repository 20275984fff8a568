#!/bin/sh
# prepare.sh: installs the client libraries, at the versions pinned beside
# this file, into environments of their own under .cache/interop. Does nothing
# when they are there.
set -eu
cd "$(dirname "$0")/.."
cache=$(pwd)/.cache/interop
mkdir -p "$cache"

# fresh DIR PINS: is DIR what PINS says? A copy of the pins, made last, says so.
fresh() { cmp -s "$2" "$1/installed-from"; }

python=$cache/python pins=interop/python/requirements.txt
if ! fresh "$python" "$pins"; then
    rm -rf "$python"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir -r "$pins"
    cp "$pins" "$python/installed-from"
fi

node=$cache/javascript pins=interop/javascript/package-lock.json
if ! fresh "$node" "$pins"; then
    rm -rf "$node"
    mkdir -p "$node"
    cp interop/javascript/package.json interop/javascript/package-lock.json "$node/"
    (cd "$node" && npm ci --silent --ignore-scripts --no-audit --no-fund --cache "$cache/npm")
    cp "$pins" "$node/installed-from"
fi
