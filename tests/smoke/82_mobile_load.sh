#!/bin/bash
# anchor-mn load plays a hundred nodes towards a home agent that scapy plays: each of them registers, refreshes, moves and ends its
# binding, every answer is verified, and the node's kernel says nothing about their routing headers.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mobile.sh
NODES=100

mobile_up
address router lo $HA/128
in_ns router ip -6 rule add ipproto ipv6-icmp dport 1026 blackhole # as in 80_mobile_node.sh
start ha router tests/lab/home_agent.py $HA 2001:db8:f::1
eventually "the home agent listens" grep -q ready "$RUN/ha.log"
visit 1
eventually "the home agent is reached" in_ns mn ping -c 1 -W 1 $HA

in_ns mn "$BIN/anchor-mn" load --home-agent $HA --first-home $HOME_ADDRESS --home-len 64 \
    --first-coa 2001:db8:1::100 --coas 2 --interface eth0 --nodes $NODES --window 8 --json >"$RUN/load.json" ||
    fail "wrong answers: $(cat "$RUN/load.json")"
equal "accepted in each phase" "$(jq -c '[.phases[].accepted]' "$RUN/load.json")" "[$NODES,$NODES,$NODES,$NODES]"
equal "home addresses that were heard" \
    "$(jq -r 'select(.what == "update") | .home' "$RUN/ha.log" | sort -u | wc -l)" $NODES
equal "care-of addresses" "$(jq -r 'select(.what == "update") | .care_of' "$RUN/ha.log" | sort -u | wc -l)" 2
equal "faults that the home agent found" "$(jq -c 'select((.wrong // []) | length > 0)' "$RUN/ha.log")" ""
expect "the care-of addresses are gone from the interface" \
    test -z "$(in_ns mn ip -6 address show dev eth0 to 2001:db8:1::100/127)"
