#!/bin/bash
# The gateway dies and refreshes no more: the binding goes when its lifetime is over, not before.
# proves: PMIP6-5.1-1
MAX_LIFETIME=8s
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
attach 1a
node=$(node_address)
stop mag1 KILL || true
left=$(binding .lifetime_left_s)
capture access anchor access-dpdk
in_ns cn ping -c 1 -W 0.5 -I $CN "$node" || true
eventually "the binding is gone" no_binding
captured access
at_least "packets sent to the gateway before" "$(count_frames access "ipv6.nxt == 41 && ipv6.dst == $MAG1")" 1
at_least "lifetime that was left" "$left" 1
equal "bindings expired" "$(counter binding_expired)" 1
equal "prefixes in use" "$(ctl pool show | jq '.[0].used')" 0
before=$(drops unassigned)
in_ns cn ping -c 1 -W 0.5 -I $CN "$node" && fail "a node without a binding answered"
equal "dropped: nobody holds it" $(($(drops unassigned) - before)) 1
