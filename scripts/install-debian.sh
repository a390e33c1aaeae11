#!/usr/bin/env bash
# Installs the Debian packages that are missing for: build | demo | test | compare. Says what it does; does nothing when all is there.
set -euo pipefail

build="build-essential cmake lld pkg-config"
demo="$build espeak-ng sox asterisk-core-sounds-en-wav curl iproute2 jq"
compare="$build rtpengine-daemon kamailio"
test="$demo sip-tester baresip-core postgresql-15 libcap2-bin valgrind clang llvm libbpf-dev bpftool ethtool"

case "${1:-}" in
    build) wanted=$build ;;
    demo) wanted=$demo ;;
    test) wanted=$test ;;
    compare) wanted=$compare ;;
    *) echo "usage: $0 build|demo|test|compare" >&2; exit 64 ;;
esac

missing=()
for package in $wanted; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    echo "Installing: ${missing[*]}"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs (1.95 or later)" >&2; exit 69; }
