#!/usr/bin/env bash
# Compiles a program for the kernel: build.sh SOURCE.bpf.c OBJECT. The same clang makes the same bytes wherever the
# sources lie. Needs clang, llvm, libbpf-dev.
set -euo pipefail
source=$(realpath "$1"); object=$(realpath -m "$2")
cd "$(dirname "$source")"
clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -fdebug-compilation-dir=. \
    -I"/usr/include/$(uname -m)-linux-gnu" -c "$(basename "$source")" -o "$object"
llvm-strip -g "$object"
