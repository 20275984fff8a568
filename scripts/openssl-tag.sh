#!/bin/sh
# openssl-tag.sh: prints the build tag openssl where OpenSSL can be built in,
# else nothing, and says on stderr what that costs.
set -eu
go=${GO:-go}
if [ "$("$go" env CGO_ENABLED)" = 1 ] && pkg-config --exists 'openssl >= 3.0' 2>/dev/null; then
    echo openssl
else
    echo "without OpenSSL (in Debian's words: gcc pkg-config libssl-dev): mbl-cloud will not serve the original client's TCP transport" >&2
fi
