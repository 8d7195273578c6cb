#!/bin/bash
# A node gets a prefix and, by DHCP, an IPv4 address; both reach the correspondent, also after a handoff.
# workers: 1 2
# proves: PMIP4-3.2.3.2-14, PMIP4-3.2.4-6, PMIP4-3.2.4-7
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any

lab_up
anchord_start
mag_start 1
mag_start 2
attach 1a
lease mn
address=$(node_ipv4 mn)
expect "the address is of the pool" in_prefix "$address" $POOL_IPV4
capture access anchor access-dpdk
expect "cn answers by IPv4" in_ns mn ping -c 5 -i 0.2 -W 2 -s 1000 $CN_IPV4
expect "cn answers by IPv6" in_ns mn ping -c 5 -i 0.2 -W 2 -s 1000 $CN
captured access
equal "IPv4 requests in IPv6" "$(count_frames access "icmp.type == 8 && ipv6.src == $MAG1")" 5
equal "IPv4 answers in IPv6" "$(count_frames access "icmp.type == 0 && ipv6.dst == $MAG1")" 5

# Whoever else the node looks for in its home network, the gateway answers for.
in_ns mn ping -c 1 -W 1 198.51.100.200 >/dev/null || true
router() { in_ns mn ip -j neigh show "$1" | jq -r '.[0].lladdr'; }
equal "answers to ARP" "$(router 198.51.100.200)" 00:00:5e:00:52:13
equal "the default router" "$(router "$(in_ns mn ip -j route show default | jq -r '.[0].gateway')")" 00:00:5e:00:52:13

handoff 1a 2a $MAG2
expect "cn answers the same address" in_ns mn ping -c 3 -i 0.2 -W 2 -I "$address" $CN_IPV4
lease mn
equal "the address after the handoff" "$(node_ipv4 mn)" "$address"
