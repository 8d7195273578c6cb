#!/bin/bash
# The node goes on with its other interface: the session, with its prefix, moves to it (Handoff
# Indicator 2), and packets follow. The node takes its interface identifier along.
# proves: PMIP6-5.4.1.2-5, PMIP6-5.4.1.2-6
. "$(dirname "$0")/_init.sh"

lab_up
for interface in eth0 eth1; do in_ns mn ip token set ::1:42 dev $interface; done
anchord_start
mag_start 1
MAG_HANDOFF=between-interfaces mag_start 2
attach 1a mn eth0
node=$(node_address mn eth0)
expect "cn answers over eth0" in_ns mn ping -c 2 -i 0.2 -W 2 $CN
in_ns mn ip link set eth0 down
unplug mn eth0
attach 2a mn eth1
vacate 1a
equal "the node's address" "$(node_address mn eth1)" "$node"
expect "the binding is at mag2" binding_is_at $MAG2
equal "bindings" "$(ctl binding show | jq length)" 1
equal "handoff indicator" "$(binding .handoff)" 2
equal "link-layer identifier" "$(binding .mn_ll_id)" 020000000102
capture cn cn eth0 icmp6
expect "cn answers over eth1" in_ns mn ping -c 2 -i 0.2 -W 2 $CN
captured cn
equal "handed over once" "$(counter binding_handed_off)" 1
at_least "counted uplink, over both" "$(binding '.counters[0].uplink_packets')" 4
equal "requests at cn from the same address" \
    "$(count_frames cn "icmpv6.type == 128 && ipv6.src == $node")" 2
