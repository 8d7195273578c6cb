#!/bin/bash
# With two workers the kernel spreads frames over both, so some arrive at the one that does not own the
# node: they are handed over, in order, and none is lost.
# alone
. "$(dirname "$0")/_init.sh"
WORKERS=2

lab_up
anchord_start
mag_start 1
mag_start 2
attach 1a mn
attach 2b mn2
equal "steering of the ports" "$(ctl port show | jq -r 'map(.steering) | unique | join(" ")')" hand-off
equal "signaling of the ports" "$(ctl port show | jq -r 'map(.signaling) | unique | join(" ")')" punt-ring

# Flows differ in their ports: the kernel's hash sends them to either worker.
start reflector cn "$BIN/lab-stream" reflect --listen "[$CN]:5213"
for flow in 1 2 3 4 5 6 7 8; do
    in_ns mn "$BIN/lab-stream" run --to "[$CN]:5213" --from "[$(node_address mn)]:$((7000 + flow))" \
        --seconds 0.5 --rate 200 >>"$RUN/flows.json"
done
jq -es 'length == 8' "$RUN/flows.json" >/dev/null || fail "not every flow ended well"
equal "lost, reordered or duplicated" "$(jq -s '[.[] | .uplink, .downlink | .lost, .reordered, .duplicated] |
    add' "$RUN/flows.json")" 0
at_least "frames handed over" "$(ctl worker show | jq 'map(.handed_off) | add')" 1
equal "lost between workers" "$(drops handoff_full)" 0
sent=$(jq -s 'map(.downlink.sent) | add' "$RUN/flows.json")
at_least "packets counted downlink" "$(binding '.counters[0].downlink_packets')" "$sent"
