#!/bin/bash
# Heartbeats both ways with anchor-mag, and with a gateway made by scapy that restarts: its sessions are gone at
# once, the other gateway's stay. The Restart Counter is the same after a kill, and higher when the journal is lost.
# proves: HEARTBEAT-3-2, HEARTBEAT-3.2-1, HEARTBEAT-3.2-2, HEARTBEAT-3.2-3, HEARTBEAT-3.2-4, HEARTBEAT-3.3-1, HEARTBEAT-3.4-1
. "$(dirname "$0")/_init.sh"

beat() { in_ns mag2 tests/lab/peer.py --src $MAG2 --dst $LMA heartbeat "$@"; }
peer_is() { # peer_is proxy-coa state
    [[ $(ctl mag show | jq -r --arg a "$1" '.[] | select(.address == $a) | .peer') == "$2" ]]
}

lab_up
anchord_start
mag_start 1
attach 1a
eventually "mag1 answers heartbeats" peer_is $MAG1 reachable
for n in 1 2 3; do
    expect "registered" test "$(in_ns mag2 tests/lab/pbu.py --src $MAG2 --dst $LMA --mn-id "mn$n@example.com" | jq .status)" = 0
done
answer=$(beat --seq 4711)
equal "the number comes back" "$(jq .seq <<<"$answer")" 4711
counter_before=$(jq .restart_counter <<<"$answer")
beat --response --unsolicited --counter 5 --wait 0 >/dev/null
beat --response --unsolicited --counter 5 --wait 0 >/dev/null
equal "sessions after the same counter twice" "$(ctl binding show | jq length)" 4
beat --response --unsolicited --counter 6 --wait 0 >/dev/null
eventually "its sessions are gone" sessions_are 1
expect "the other gateway's session stays" binding_is_at $MAG1
equal "restarts seen" "$(counter peer_restarted)" 1

stop anchord KILL || true
anchord_start
eventually "the session is there again" binding_is_at $MAG1
equal "the counter after a kill" "$(beat | jq .restart_counter)" "$counter_before"
stop anchord || true
rm -rf "$RUN/state"
capture unasked anchor access-dpdk ip6 proto 135 and ip6 src $LMA
anchord_start
at_least "the counter after a lost journal" "$(beat | jq .restart_counter)" $((counter_before + 1))
captured unasked
at_least "unsolicited responses" "$(count_frames unasked 'mip6.mhtype == 13 && mip6.hb.u_flag == 1')" 1
