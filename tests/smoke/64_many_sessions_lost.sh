#!/bin/bash
# A gateway with many sessions restarts, and later it does not answer heartbeats any more: all of them are gone
# within a second, and the other gateway's is not. SESSIONS=100000 tests/smoke/64_many_sessions_lost.sh says how
# long that takes for as many as the largest gateways have.
# proves: HEARTBEAT-3.2-4
# alone
. "$(dirname "$0")/_init.sh"
SESSIONS=${SESSIONS:-2000} MAX_BINDINGS=$((${SESSIONS:-2000} + 100))
WIRES_FILTER="not host $MAG1" MAG_KEYS="signaling_rate = 1000000"

beat() { in_ns mag1 tests/lab/peer.py --src $MAG1 --dst $LMA heartbeat --wait 0 --response --unsolicited "$@" >/dev/null; }
register() {
    in_ns mag1 "$BIN/anchor-mag" load --lma $LMA --first-mag $MAG1 --mags 1 --nodes "$SESSIONS" --window 32 \
        --phases register --lifetime 86400 --json >"$RUN/load.json" || fail "wrong answers: $(cat "$RUN/load.json")"
}
count() { jq --arg n "$1" '[.[] | select(.name == $n) | .value] | add // 0' "$RUN/stats"; }
cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/${daemon[anchord]}/stat"; } # all threads; of 100 ticks a second
# From the moment at which this counter grows, how long it takes until all sessions are gone.
gone_within_a_second() { # gone_within_a_second counter
    local began='' lost ms cpu
    lost=$(($(counter binding_lost) + SESSIONS))
    for ((tries = 0; tries < 1000; tries++)); do
        ctl stats show >"$RUN/stats"
        if [[ -z $began && $(count "$1") -gt 0 ]]; then began=$(date +%s%N) cpu=$(cpu_ms); fi
        (($(count binding_lost) < lost)) || break
    done
    equal "sessions that are gone" "$(count binding_lost)" "$lost"
    ms=$((($(date +%s%N) - began) / 1000000))
    echo "$1: $SESSIONS sessions gone in $ms ms, of which anchord computed $(($(cpu_ms) - cpu)) ms"
    at_least "milliseconds of a second that were left" $((1000 - ms)) 0
    expect "the other gateway's session stays" binding_is_at $MAG2
}

lab_up
anchord_start
mag_start 2
attach 2a
eventually "anchord knows the neighbour mag1" in_ns mag1 ping -c 1 -W 1 -I $MAG1 $LMA
register
beat --counter 6 & # the load mode said 0
gone_within_a_second peer_restarted
stop anchord || true
HEARTBEAT_INTERVAL=1s HEARTBEATS_MISSING=1
anchord_start
register
gone_within_a_second peer_failed
