#!/usr/bin/env bash
# Makes config/load/agents.toml: make-load-agents.sh [COUNT]. Agents 30001 ..., passwords load-30001 ...
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-1000}
{
    echo "# Made by scripts/make-load-agents.sh $count"
    for ((n = 30001; n <= 30000 + count; n++)); do
        printf '\n[[agent]]\nnumber = "%d"\nname = "Load %d"\nsecret = "load-%d"\nqueues = ["direct"]\n' "$n" "$n" "$n"
    done
} >config/load/agents.toml
