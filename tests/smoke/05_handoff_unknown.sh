#!/bin/bash
# Another interface registers, and the gateway knows nothing of how the node came (Handoff Indicator 4).
# The anchor waits for the old gateway: if it de-registers in time the session moves, else a new one
# begins beside it. The gateways are ones without RFC 5846: others are asked, and there is nothing to wait for.
# proves: PMIP6-5.4.1.2-8, PMIP6-5.4.1.2-9, PMIP6-5.4.1.2-10
NEW_BCE_DELAY=4s
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
attach 1a
prefix=$(binding '.hnp[0]') node=$(node_address)
pbu() { in_ns mag2 tests/lab/pbu.py --src $MAG2 --dst $LMA --mn-id "$MN_ID" "$@"; }

# Nobody de-registers: a second session, after MaxDelayBeforeNewBCEAssign.
capture access anchor access-dpdk
answer=$(pbu --handoff 4 --att 5 --ll-id 020000000901 --wait 10)
captured access
equal "status" "$(jq .status <<<"$answer")" 0
expect "another prefix" test "$(jq -r '.prefixes[0]' <<<"$answer")" != "$prefix"
equal "sessions" "$(ctl binding show --mn-id "$MN_ID" | jq length)" 2
expect "the answer took 4 s" waited_ms access 4000 5500
expect "the first session's traffic goes on" reaches
equal "status of its end" "$(pbu --lifetime 0 --handoff 4 --att 5 --ll-id 020000000901 --wait 10 |
    jq .status)" 0
eventually "one session is left" sessions_are 1

# The old gateway de-registers while the anchor waits: the session moves, with its prefix.
ignored=$(counter pbu_ignored)
pbu --handoff 4 --att 5 --ll-id 020000000902 --wait 10 >"$RUN/answer" &
eventually "the anchor waits" counted pbu_ignored $((ignored + 1))
detach 1a
wait $!
equal "status" "$(jq .status "$RUN/answer")" 0
equal "prefix" "$(jq -r '.prefixes[0]' "$RUN/answer")" "$prefix"
expect "the binding is at mag2" binding_is_at $MAG2
equal "sessions" "$(ctl binding show --mn-id "$MN_ID" | jq length)" 1
capture moved anchor access-dpdk
in_ns cn ping -c 2 -i 0.2 -W 0.2 -I $CN "$node" && fail "the gateway made by scapy forwards nothing"
captured moved
equal "packets to mag2, and to no other" "$(frames moved 'ipv6.nxt == 41 && icmpv6.type != 4' ipv6.dst | sed 's/,.*//' | sort |
    uniq -c | xargs)" "2 $MAG2"
