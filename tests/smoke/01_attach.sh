#!/bin/bash
# A node attaches: it gets a prefix, and packets flow both ways through the tunnel.
# workers: 1 2
# proves: PMIP6-5.3.2-1, PMIP6-5.3.2-7, PMIP6-5.3.2-10, PMIP6-5.3.2-11, PMIP6-5.3.2-12, PMIP6-5.6.2-3, PMIP6-5.6.2-5
# proves: PMIP6-5.6.2-1, PMIP6-6.9.1.2-5
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
capture access anchor access-dpdk
capture cn cn eth0 icmp6
attach 1a
expect "the binding is at mag1" binding_is_at $MAG1
expect "the node made its address of its prefix" in_prefix "$(node_address)" "$(binding '.hnp[0]')"

expect "cn answers mn" in_ns mn ping -c 5 -i 0.2 -W 2 -s 1000 $CN
captured access
captured cn
node=$(node_address)
equal "requests at cn, with the node's own address" \
    "$(count_frames cn "icmpv6.type == 128 && ipv6.src == $node")" 5
equal "requests in the tunnel" "$(count_frames access "icmpv6.type == 128 && ipv6.src == $MAG1")" 5
equal "answers in the tunnel" "$(count_frames access "icmpv6.type == 129 && ipv6.dst == $MAG1")" 5
at_least "counted downlink" "$(binding '.counters[0].downlink_packets')" 5
at_least "counted uplink" "$(binding '.counters[0].uplink_packets')" 5
equal "mag1's bindings" "$(ctl mag show | jq '.[] | select(.name == "mag1") | .bindings')" 1
