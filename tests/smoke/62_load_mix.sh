#!/bin/bash
# The load mode mixes IPv4 addresses, GRE keys and UDP, over IPv6 and over IPv4: every answer is right over two
# handoffs, as many sessions have each kind of tunnel as were asked for, and one of each kind carries packets.
# alone
. "$(dirname "$0")/_init.sh"
LAB_IPV4=yes
NODES=100

# Both gateways' addresses are in mag1; before anchord looks for its neighbours.
lab_up
in_ns mag2 ip link set transit down
anchord_start
address mag1 transit $MAG2/64
address mag1 transit $MAG2_IPV4/24
for ends in "$MAG1 $LMA" "$MAG2 $LMA" "$MAG1_IPV4 $LMA_IPV4" "$MAG2_IPV4 $LMA_IPV4"; do
    eventually "anchord knows the neighbour ${ends% *}" in_ns mag1 ping -c 1 -W 1 -I $ends # two words
done

load() { # load lma first-mag first-node phases: half of the nodes each with IPv4, with GRE, with UDP
    in_ns mag1 "$BIN/anchor-mag" load --lma "$1" --first-mag "$2" --mags 2 --nodes $NODES --first-node "$3" \
        --rate 300 --window 32 --ipv4-share 50 --gre-share 50 --udp-share 50 --phases "$4" --json >"$RUN/load.json" ||
        fail "wrong answers: $(cat "$RUN/load.json")"
    equal "accepted in each phase" "$(jq -c '[.phases[] | .accepted + .skipped] | unique' "$RUN/load.json")" "[$NODES]"
    equal "errors" "$(jq -c '[.phases[].errors | length] | add' "$RUN/load.json")" 0
}

# How many of the nodes are one of half of them by each of the steps (src/mag/load: Mix).
both() { # both step step
    local n found=0
    for ((n = 0; n < NODES; n++)); do ((n * $1 % 100 < 50 && n * $2 % 100 < 50)) && found=$((found + 1)); done
    echo $found
}
sessions() { # sessions jq-condition
    jq "[.[] | select($1)] | length" "$RUN/sessions.json"
}

# A node of this kind reaches cn through a gateway made by scapy, in the same tunnel.
carries() { # carries encapsulation mag lma
    local b keys=()
    b=$(jq -c "[.[] | select(.encapsulation == \"$1\" and .mag == \"$2\" and .ipv4)][0]" "$RUN/sessions.json")
    [[ $1 != *gre ]] || keys=(--uplink-key "$(jq .uplink_key <<<"$b")" --downlink-key "$(jq .downlink_key <<<"$b")")
    equal "a packet by $1 from $2" "$(in_ns mag1 tests/lab/echo.py --src "$2" --dst "$3" --encap "$1" "${keys[@]}" \
        --inner-src "$(jq -r .ipv4 <<<"$b")" --inner-dst $CN_IPV4)" answered
}

load $LMA $MAG1 0 register,refresh,handoff,handoff
load $LMA_IPV4 $MAG1_IPV4 $NODES register,refresh,handoff,handoff
ctl binding show >"$RUN/sessions.json"
gre=73 udp=91
equal "sessions" "$(sessions true)" $((2 * NODES))
equal "sessions with IPv4" "$(sessions .ipv4)" $NODES
equal "over IPv6 with GRE" "$(sessions '.encapsulation == "gre" and (.mag | test(":"))')" $((NODES / 2))
equal "over IPv6 without" "$(sessions '.encapsulation == "ip" and (.mag | test(":"))')" $((NODES / 2))
equal "over IPv4 in UDP with GRE" "$(sessions '.encapsulation == "udp-gre"')" "$(both $gre $udp)"
equal "over IPv4 in UDP without" "$(sessions '.encapsulation == "udp"')" $((NODES / 2 - $(both $gre $udp)))
equal "over IPv4 with GRE without UDP" "$(sessions '.encapsulation == "gre" and (.mag | test(":") | not)')" \
    $((NODES / 2 - $(both $gre $udp)))
for kind in ip gre; do carries $kind $MAG1 $LMA; done
for kind in ip gre udp udp-gre; do carries $kind $MAG1_IPV4 $LMA_IPV4; done

load $LMA $MAG1 0 register,deregister
load $LMA_IPV4 $MAG1_IPV4 $NODES register,deregister
eventually "no session is left" sessions_are 0
