#!/usr/bin/env bash
# Compiles SOURCE.bpf.c to OBJECT: build.sh SOURCE OBJECT. The object is the same bytes wherever it is built with the
# same clang: no path of the machine is in it. Needs clang, llvm-strip, libbpf-dev.
set -euo pipefail
source=$(realpath "$1"); object=$(realpath -m "$2")
cd "$(dirname "$source")"
clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -fdebug-compilation-dir=. \
    -I"/usr/include/$(uname -m)-linux-gnu" -c "$(basename "$source")" -o "$object"
llvm-strip -g "$object"
