#!/bin/bash
# One gateway floods: updates for one node, a million different nodes, malformed messages. Another one's
# registrations take no more than twice as long as between the floods, none of them is lost, nor is a packet of a
# stream over it; `anchorctl mag show` counts what the first one said too much.
#
# What is measured: the median under a flood, against the longer one of those before and after it. Flooder,
# gateways, correspondent and anchord share two CPUs, which no operator lets them: so the flooder yields to everybody
# else, the queues hold what arrives while anchord waits for its CPU, the rate that a gateway may use suits this
# machine, and a measurement that something else has disturbed is made again, twice.
# alone
. "$(dirname "$0")/_init.sh"
MAG3=2001:db8:a::13 RATE=1000
WIRES_FILTER="not host $MAG1"
ACCESS_VDEV="framecnt=8192" RING_LEN=65536 MAX_BINDINGS=100_000
MAG_KEYS="signaling_rate = $RATE"
ANCHORD_MORE="[[mag]]
name = \"mag3\"
address = \"$MAG3\""
NODES=100 next_node=0 next_flood=1000000

# The other gateway registers nodes; the median and the longest time in microseconds.
register() { # register name
    in_ns mag2 nice -n -5 "$BIN/anchor-mag" load --lma $LMA --first-mag $MAG3 --mags 1 --nodes $NODES --first-node $next_node \
        --rate 75 --window 64 --phases register --json >"$RUN/$1.json" || fail "$1, wrong answers: $(cat "$RUN/$1.json")"
    next_node=$((next_node + NODES))
}
median() { jq '.phases[0].latency_us.p50' "$RUN/$1.json"; }

flood() { # flood one-node|new-nodes|malformed
    if [[ $1 == new-nodes ]]; then
        start flood mag1 nice -n 19 "$BIN/anchor-mag" load --lma $LMA --first-mag $MAG1 --mags 1 --nodes 1000000 \
            --first-node $next_flood --window 65535 --reply-timeout 300 --retries 0 --phases register --timeout 20 --json
        next_flood=$((next_flood + 1000000))
    else
        start flood mag1 nice -n 19 tests/lab/flood.py --src $MAG1 --dst $LMA --seconds 20 "$1"
    fi
    eventually "the flood of $1 is on" said_too_much
}
said_too_much() { (($(of_mag $MAG1 dropped) > 5000 + before)); }
of_mag() { ctl mag show | jq --arg a "$1" ".[] | select(.address == \$a) | .$2"; } # of_mag proxy-coa field

# Registers under a flood and after it; the medians are in $under and $calm.
measure() { # measure kind
    before=$(of_mag $MAG1 dropped)
    flood "$1"
    register "$1"
    stop flood "$([[ $1 == new-nodes ]] && echo INT || echo TERM)" || true
    at_least "messages of $1 that were dropped" $(($(of_mag $MAG1 dropped) - before)) 10000
    register after
    under=$(median "$1") after=$(median after)
    echo "$1: median $under us, before $calm us, after $after us; $(grep -v "^anchor-mag" "$RUN/flood.log" | tail -1)"
    local least=$((calm < after ? calm : after))
    calm=$((calm > after ? calm : after))
    calm=$((calm < 2 * least ? calm : 2 * least)) # one that was disturbed counts as little as that
}

withstands() { # withstands kind
    local attempt
    for attempt in 1 2 3; do
        measure "$1"
        if ((under <= 2 * calm)); then
            calm=$after
            return
        fi
        calm=$after
    done
    fail "registrations take more than twice as long under a flood of $1"
}

lab_up
address mag2 transit $MAG3/64
anchord_start
mag_start 2
eventually "anchord knows the neighbour mag3" in_ns mag2 ping -c 1 -W 1 -I $MAG3 $LMA
attach 2a
stream_start 100 200
register calm
calm=$(median calm)
for kind in one-node new-nodes malformed; do withstands $kind; done
kill -TERM "${daemon[stream]}" || true # it was long enough
stream_end
at_least "packets sent up" "$(stream uplink sent)" 1000
equal "packets lost up" "$(stream uplink lost)" 0
equal "packets lost down" "$(stream downlink lost)" 0

told=$(grep -o '"status 130":[0-9]*' "$RUN/flood.log" | awk -F: '{ sum += $2 } END { print sum + 0 }')
at_least "updates that the flooder was told status 130" "$told" 1
at_least "updates refused so" "$(of_mag $MAG1 refused_busy)" "$told"
at_least "malformed ones" "$(of_mag $MAG1 malformed)" 1000
for mag in $MAG2 $MAG3; do
    equal "refused, dropped and malformed ones of $mag" \
        "$(of_mag "$mag" refused_busy) $(of_mag "$mag" dropped) $(of_mag "$mag" malformed)" "0 0 0"
done
