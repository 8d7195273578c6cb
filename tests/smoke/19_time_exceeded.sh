#!/bin/bash
# A packet whose hop limit ends in the anchor is answered by Time Exceeded, in either direction.
# proves: PMIP6-5.6.2-4, PMIP6-5.6.2-6
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
attach 1a
node=$(node_address)
capture mn mn eth0 icmp6
capture cn cn eth0 icmp6
in_ns mn ping -c 1 -W 1 -t 2 $CN && fail "cn answered a packet that had one hop too few" # mag1, anchor
in_ns cn ping -c 1 -W 1 -t 1 -I $CN "$node" && fail "mn answered a packet that had one hop too few"
captured mn
captured cn
equal "Time Exceeded at mn, from the anchor" \
    "$(count_frames mn "icmpv6.type == 3 && icmpv6.code == 0 && ipv6.dst == $node && ipv6.src == $LMA")" 1
equal "Time Exceeded at cn, from the anchor" \
    "$(count_frames cn "icmpv6.type == 3 && icmpv6.code == 0 && ipv6.dst == $CN && ipv6.src == $ANCHOR_CORE")" 1
equal "dropped for the hop limit" "$(drops hop_limit)" 2
