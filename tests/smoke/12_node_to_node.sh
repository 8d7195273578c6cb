#!/bin/bash
# Two nodes at two gateways talk to each other through the anchor; the core port sees nothing of it.
# workers: 1 2
# proves: PMIP6-5.6.2-3, PMIP6-5.6.2-5
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
mag_start 2
attach 1a mn
attach 2b mn2
first=$(node_address mn) second=$(node_address mn2)
expect "they have different prefixes" test "$(binding '.hnp[0]')" != "$(binding '.hnp[0]' "$MN2_ID")"
capture cn cn eth0 icmp6 and "host $first"
capture access anchor access-dpdk
expect "mn2 answers mn" in_ns mn ping -c 4 -i 0.2 -W 2 "$second"
captured access
captured cn
equal "frames at cn" "$(count_frames cn icmpv6)" 0
equal "requests up from mag1" "$(count_frames access "icmpv6.type == 128 && ipv6.src == $MAG1")" 4
equal "requests down to mag2" "$(count_frames access "icmpv6.type == 128 && ipv6.dst == $MAG2")" 4
at_least "mn's uplink packets" "$(binding '.counters[0].uplink_packets')" 4
at_least "mn2's downlink packets" "$(binding '.counters[0].downlink_packets' "$MN2_ID")" 4
