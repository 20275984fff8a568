#!/bin/sh
# install-tool.sh MODULE-PATH VERSION: builds a Go program into .cache/bin/NAME-VERSION.
# The version is in the name, so that a new version in the Makefile is a new file.
set -eu
module=$1 version=$2
name=$(basename "$module")
bin=$(pwd)/.cache/bin
mkdir -p "$bin"
temporary=$(mktemp -d "$bin/install.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
echo "installing $name $version into .cache/bin (once)" >&2
GOBIN=$temporary GOFLAGS= "${GO:-go}" install "$module@$version" 2>"$temporary/log" ||
    { cat "$temporary/log" >&2; exit 1; }
mv "$temporary/$name" "$bin/$name-$version"
