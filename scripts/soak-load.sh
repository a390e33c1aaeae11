#!/usr/bin/env bash
# The real switch at 60 % of a core for a long time: soak-load.sh [SECONDS]. In turn 1,000 bridged calls with voice, held for
# a minute, and a minute of 2,500 short calls a second. Then memory, descriptors, ports and transactions stand beside those of the
# start: they must be equal, memory within 10 %; and nobody may have heard another's voice. Calls that a machine which stood
# still makes the switch refuse are told, and no failure. Processor 0 is the switch's, 1 the load's. Needs release builds of
# usher and usher-load.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-7200}
usher=target/release/usher load=target/release/usher-load
config=config/load
rest=60                                        # RFC 3261 timers keep finished transactions for 32 s; then memory is given back
length=$((seconds < 300 ? 15 : 60))

rm -rf var/load && mkdir -p var/load
[ -f "$config/agents.toml" ] || scripts/make-load-agents.sh
taskset -c 0 "$usher" serve --config "$config" >var/load/usher.log 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true' EXIT
for _ in $(seq 100); do grep -qs '^ready$' var/load/usher.log && break; sleep 0.1; done
grep -qs '^ready$' var/load/usher.log || { cat var/load/usher.log >&2; exit 70; }

metric() { curl -sf http://127.0.0.1:8070/metrics | awk -v name="$1" 'index($1, name) == 1 { sum += $2 } END { print sum + 0 }'; }
look() {
    echo "$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status") $(ls "/proc/$pid/fd" | wc -l)" \
        "$(metric 'usher_media_ports_now{kind="used"}')" "$(metric usher_sip_transactions_now)"
}
voices() { "$load" calls --agents 1000 --calls 1000 --rate 100 --overload --media "$length" --pid "$pid" --cpu 1 --generator-cpu 1; }
talk() { taskset -c 1 "$load" calls --agents 500 --calls $((length * 2500)) --rate 2500 --overload --pid "$pid"; }
# What the load said stands in last.txt; it is shown when a call was neither completed nor refused.
round() { voices >var/load/last.txt 2>&1 && talk >>var/load/last.txt 2>&1 || { cat var/load/last.txt >&2; exit 1; }; }

rounds=0
# Tables, caches and the memory of who served whom reach their size in the first minutes.
echo "warming up"
round
round
sleep "$rest"
read -r memory files ports transactions <<<"$(look)"
echo "start: $memory kB, $files descriptors, $ports ports, $transactions transactions"
end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt "$end" ]; do
    round
    rounds=$((rounds + 1))
    echo "$(date +%T) round $rounds: $(look) (kB, descriptors, ports, transactions); $(sed -nE 's/^(lost|out of order) +|^ +(refused)/\1\2 /p' var/load/last.txt | paste -sd ' ')"
done
sleep "$rest"
read -r memory_end files_end ports_end transactions_end <<<"$(look)"
echo "end:   $memory_end kB, $files_end descriptors, $ports_end ports, $transactions_end transactions, after $rounds rounds"
sed -n '/streams\|lost\|processor/p' var/load/last.txt
if [ "$files" != "$files_end" ] || [ "$ports" != "$ports_end" ] || [ "$transactions" != "$transactions_end" ] ||
    [ $((memory_end * 10)) -gt $((memory * 11)) ]; then
    echo "not equal: something stays behind" >&2
    exit 1
fi
echo "equal"
