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

for name in python originalcli aiocoap; do
    python=$cache/$name pins=interop/$name/requirements.txt
    if ! fresh "$python" "$pins"; then
        rm -rf "$python"
        python3 -m venv "$python"
        "$python/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir -r "$pins"
        cp "$pins" "$python/installed-from"
    fi
done

node=$cache/javascript pins=interop/javascript/package-lock.json
if ! fresh "$node" "$pins"; then
    rm -rf "$node"
    mkdir -p "$node"
    cp interop/javascript/package.json interop/javascript/package-lock.json "$node/"
    (cd "$node" && npm ci --silent --ignore-scripts --no-audit --no-fund --cache "$cache/npm")
    cp "$pins" "$node/installed-from"
fi

for name in leshan java; do
    programs=$cache/$name pins=$(cat "interop/$name/pom.xml" "interop/$name"/*.java)
    if ! [ "$pins" = "$(cat "$programs/installed-from" 2>/dev/null)" ]; then
        rm -rf "$programs"
        mvn -q -B -Dstyle.color=never -f "interop/$name/pom.xml" dependency:copy-dependencies -DoutputDirectory="$programs/lib"
        javac -cp "$programs/lib/*" -d "$programs/classes" "interop/$name"/*.java
        printf '%s\n' "$pins" >"$programs/installed-from"
    fi
done
