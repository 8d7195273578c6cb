#!/bin/bash
# Two nodes of one IPv4 home network at one gateway: their packets to each other take the tunnel, or not, as
# EnableMAGLocalRouting says. What has another source than the node's own address goes nowhere.
# proves: PMIP4-3.2.4-3, PMIP4-3.2.4-5
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any

both() { # both nodes are there, with addresses
    attach 1a mn
    attach 1b mn2
    lease mn
    lease mn2
    second=$(node_ipv4 mn2)
}
tunnelled() { count_frames "$1" "icmp.type == 8 && ipv6.src == $MAG1"; }

lab_up
anchord_start
mag_start 1
both
capture anchored anchor access-dpdk
expect "mn2 answers mn" in_ns mn ping -c 4 -i 0.2 -W 2 "$second"
in_ns mn ip address add 198.51.100.77/32 dev eth0
in_ns mn ping -c 2 -i 0.2 -W 1 -I 198.51.100.77 $CN_IPV4 >/dev/null || true # no answer
captured anchored
equal "requests in the tunnel without local routing" "$(tunnelled anchored)" 4
equal "packets from an address without a binding" "$(count_frames anchored 'ip.src == 198.51.100.77')" 0

stop mag1
MAG_LOCAL_ROUTING=true
mag_start 1
both
capture local anchor access-dpdk
expect "mn2 answers mn" in_ns mn ping -c 4 -i 0.2 -W 2 "$second"
captured local
equal "requests in the tunnel with local routing" "$(tunnelled local)" 0
