#!/bin/bash
# A packet that does not fit the tunnel is answered with Packet Too Big, from which its sender learns;
# what fits goes through whole, in both directions.
# workers: 1 2
# proves: PMIP6-5.6.2-4
TUNNEL_MTU=1400
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
attach 1a
node=$(node_address)
capture cn cn eth0 icmp6
# 1400 - 40 of the tunnel = 1360; - 48 of ICMPv6 and IPv6 = 1312.
expect "what just fits arrives" in_ns cn ping -c 1 -W 3 -M "do" -I $CN -s 1312 "$node"
before=$(drops tunnel_mtu)
in_ns cn ping -c 1 -W 1 -M "do" -I $CN -s 1313 "$node" && fail "a packet larger than the tunnel came through"
equal "dropped for the tunnel's MTU" $(($(drops tunnel_mtu) - before)) 1
expect "cn has learnt the path's MTU" sh -c "ip netns exec $LAB-cn ip -6 route get $node from $CN | grep -q 'mtu 1360'"
expect "a fragmented packet goes through then" in_ns cn ping -c 1 -W 3 -I $CN -s 3000 "$node"
captured cn
equal "Packet Too Big, with the MTU" "$(frames cn 'icmpv6.type == 2' icmpv6.mtu)" 1360
