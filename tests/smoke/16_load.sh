#!/bin/bash
# anchor-mag load plays two gateways and three hundred nodes: every answer of anchord is right, prefixes
# and link-local addresses stay over two handoffs, and nothing is left in the end.
# proves: PMIP6-5.3.2-1, PMIP6-5.3.3-1
# alone
. "$(dirname "$0")/_init.sh"
NODES=300

lab_up
# Both gateways' addresses will be in mag1; before anchord looks for its neighbours.
in_ns mag2 ip link set transit down
anchord_start
# anchord holds three frames for a neighbour that it does not know, and the load mode sends once.
address mag1 transit $MAG2/64
for mag in $MAG1 $MAG2; do
    eventually "anchord knows the neighbour $mag" in_ns mag1 ping -c 1 -W 1 -I $mag $LMA
done
in_ns mag1 ip -6 address del $MAG2/64 dev transit
load() { # load phases
    in_ns mag1 "$BIN/anchor-mag" load --lma $LMA --first-mag $MAG1 --mags 2 --interface transit \
        --nodes $NODES --rate 300 --window 32 --phases "$1" --json
}

load register,refresh,handoff,handoff >"$RUN/load.json" || fail "wrong answers: $(cat "$RUN/load.json")"
equal "accepted in each phase" "$(jq -c '[.phases[].accepted]' "$RUN/load.json")" \
    "[$NODES,$NODES,$NODES,$NODES]"
equal "errors" "$(jq -c '[.phases[].errors | length] | add' "$RUN/load.json")" 0
expect "as many sessions at anchord" sessions_are $NODES
load register,deregister >"$RUN/again.json" || fail "wrong answers: $(cat "$RUN/again.json")"
eventually "no session is left" sessions_are 0
expect "the gateways' addresses are gone from the interface" \
    test -z "$(in_ns mag1 ip -6 address show dev transit to $MAG2)"
