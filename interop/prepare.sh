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

leshan=$cache/leshan
if ! cat interop/leshan/pom.xml interop/leshan/*.java | cmp -s "$leshan/installed-from" -; then
    rm -rf "$leshan"
    mvn -q -B -Dstyle.color=never -f interop/leshan/pom.xml dependency:copy-dependencies -DoutputDirectory="$leshan/lib"
    javac -cp "$leshan/lib/*" -d "$leshan/classes" interop/leshan/*.java
    cat interop/leshan/pom.xml interop/leshan/*.java >"$leshan/installed-from"
fi
