#!/usr/bin/env bash
# The demonstration: demo.sh [SECONDS]
#
# Starts the switch with the hotline's configuration, loads a sample directory of 10,000 customers, lets 40
# callers and 12 agents telephone for SECONDS, prints what every tier got, and serves on until Ctrl-C.
# Everything it writes is below var/demo. Ctrl-C at any time ends everything that it started.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
var=${DEMO_VAR:-var/demo}
programs=${DEMO_PROGRAMS:-${CARGO_TARGET_DIR:-target}/release}
customers=10000
usher=$programs/usher
load=$programs/usher-load
[[ $seconds =~ ^[0-9]+$ ]] || { echo "usage: $0 [SECONDS]" >&2; exit 64; }
for program in "$usher" "$load"; do
    [ -x "$program" ] || { echo "$program is missing: cargo build --release -p usher -p usher-load" >&2; exit 69; }
done

switch_pid=
driver_pid=

# Ends what we started, the switch last and gently: it drains.
finish() {
    trap - EXIT
    trap '[ -z "$switch_pid" ] || kill -KILL "$switch_pid" 2>/dev/null' INT TERM # a second Ctrl-C: at once
    if [ -n "$driver_pid" ]; then
        kill "$driver_pid" 2>/dev/null || true
    fi
    if [ -n "$switch_pid" ] && kill -0 "$switch_pid" 2>/dev/null; then
        echo
        echo "Ending: no new calls; calls under way have $drain_s s."
        kill -TERM "$switch_pid" 2>/dev/null || true
        for _ in $(seq $((drain_s * 10 + 30))); do
            kill -0 "$switch_pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$switch_pid" 2>/dev/null && echo "The switch did not end by itself." >&2
    fi
    wait 2>/dev/null || true
}
drain_s=5
trap finish EXIT
trap 'exit 130' INT TERM

# Whether a port of 127.0.0.1 is free for TCP and UDP.
is_free() {
    [ -z "$(ss -Hlntu "sport = :$1" 2>/dev/null)" ]
}

# The wanted port, or the next free one after it.
port() {
    local wanted=$1 port=$1
    until is_free "$port"; do port=$((port + 1)); done
    [ "$port" = "$wanted" ] || echo "Port $wanted is taken: using $port." >&2
    echo "$port"
}

sip=$(port 5060)
http=$(port 8080)
hooks=$(port 8090)
gateway=$(port 5080)
media=20000

config=$var/config
rm -rf "$var"
mkdir -p "$config"
cp config/hotline/*.toml "$config"
cp -r config/hotline/flows "$config/flows"
ln -s "$PWD/config/hotline/prompts" "$config/prompts"
sed -i -E \
    -e "s/127\.0\.0\.1:5060/127.0.0.1:$sip/g" \
    -e "s/127\.0\.0\.1:8080/127.0.0.1:$http/" \
    -e "s/127\.0\.0\.1:8090/127.0.0.1:$hooks/" \
    -e "s#sqlite:var/usher\.db#sqlite:$var/usher.db#" \
    -e "s#\"var/spool\"#\"$var/spool\"#" \
    -e "s/^drain_s = [0-9]+/drain_s = $drain_s/" \
    "$config/usher.toml"
sed -i -E "s/127\.0\.0\.2:5080/127.0.0.2:$gateway/" "$config/trunks.toml"

"$usher" customers sample $customers >"$var/customers.csv"
"$usher" customers import "$var/customers.csv" --config "$config"

"$usher" serve --config "$config" >"$var/usher.log" 2>&1 &
switch_pid=$!
ready=
for _ in $(seq 150); do
    kill -0 "$switch_pid" 2>/dev/null || break
    if curl -fsS -o /dev/null "http://127.0.0.1:$http/readyz" 2>/dev/null; then ready=yes; break; fi
    sleep 0.1
done
if [ -z "$ready" ]; then
    echo "The switch is not ready after 15 s. The end of $var/usher.log:" >&2
    tail -n 20 "$var/usher.log" >&2
    exit 70
fi
echo "The switch serves: SIP 127.0.0.1:$sip (UDP, TCP), HTTP 127.0.0.1:$http, log $var/usher.log"
echo "40 callers and 12 agents telephone for $seconds s: real SIP, real RTP."
echo

"$load" demo --seconds "$seconds" --customers "$var/customers.csv" --agents-file "$config/agents.toml" \
    --switch "127.0.0.1:$sip" --api "http://127.0.0.1:$http" --gateway "127.0.0.2:$gateway" \
    --hooks "127.0.0.1:$hooks" &
driver_pid=$!
verdict=0
wait "$driver_pid" || verdict=$?
driver_pid=
[ "$verdict" = 0 ] || { echo "The demonstration failed; see $var/usher.log." >&2; exit 1; }
[ -z "${DEMO_ONCE:-}" ] || exit 0

cat <<END

The switch goes on serving until Ctrl-C.
  call       sip:10000@127.0.0.1:$sip (people), sip:10001@127.0.0.1:$sip (self-service) from 127.0.0.2: the trunk
  log in     a softphone as 1001 ... 1012, password change-me-1001 ..., domain hotline.example, proxy
             127.0.0.1:$sip; then dial *10 to be ready, *11 for a break, *12 to end the wrap-up
             baresip: <sip:1001@hotline.example>;auth_pass=change-me-1001;outbound="sip:127.0.0.1:$sip"
  look       curl http://127.0.0.1:$http/metrics
             curl -H 'Authorization: Bearer demo-token' http://127.0.0.1:$http/api/v1/tiers
                  (also .../api/v1/calls, queues, agents, customers, openapi.json)
             $usher calls list --config $config
             $usher calls show KEY --config $config      (the journey, step by step)
             $usher explain KEY --config $config         (why he got this agent, and when)
             $usher callbacks list --config $config
END
wait "$switch_pid" || true
