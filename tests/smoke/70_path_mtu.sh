#!/bin/bash
# A router on the way to the gateway has a link of 1400 bytes. What it says about tunnel packets sets the
# tunnel's MTU and reaches the correspondent, of both families; a megabyte of TCP passes both ways.
# workers: 1 2
# proves: PMIP4-3.1.4-2, PMIP6-6.9.5-2
. "$(dirname "$0")/_init.sh"
lab_namespaces+=(router)
LAB_IPV4=true MAG_IPV4=any MAG1=2001:db8:b::11

lab_up
router_before_mag1 1400
anchord_start
route_to_mag1
mag_start 1
attach 1a
# The gateway asks its kernel every ten seconds; what the node sends is then no larger.
node_mtu_is() { [[ $(in_ns mn cat /proc/sys/net/ipv6/conf/eth0/mtu) == "$1" ]]; }
eventually "the node has the MTU of the gateway's path" node_mtu_is 1360
lease mn
node=$(node_address) node_ipv4=$(node_ipv4 mn)
capture cn cn eth0 icmp6 or icmp
capture behind router to-anchor

expect "the tunnel's MTU before" tunnel_mtu_is 1500
# 1460 bytes fit the access port, their tunnel packets do not fit the router's link.
in_ns cn ping -c 1 -W 1 -M "do" -I $CN -s 1412 "$node" && fail "a packet larger than the path came through"
eventually "the tunnel's MTU is the path's" tunnel_mtu_is 1400
expect "cn has learnt the path's MTU" knows_mtu 6 "$node" $CN 1360
expect "what fits goes through" in_ns cn ping -c 1 -W 3 -M "do" -I $CN -s 1312 "$node"
expect "a fragmented packet goes through" in_ns cn ping -c 1 -W 3 -I $CN -s 3000 "$node"
equal "paths learnt" "$(counter path_mtu_learnt)" 1
in_ns cn ping -c 1 -W 1 -M "do" -I $CN_IPV4 -s 1400 "$node_ipv4" && fail "an IPv4 packet larger than the path came through"
expect "cn has learnt it for IPv4" knows_mtu 4 "$node_ipv4" $CN_IPV4 1360

for at in "$CN $node" "$CN_IPV4 $node_ipv4"; do
    set -- $at
    start "server$1" mn "$PWD/tests/lab/transfer.py" serve "$2" 5214
    in_ns cn ip route flush cache
    in_ns cn ip -6 route flush cache
    eventually "the server listens at $2" in_ns cn "$PWD/tests/lab/transfer.py" send "$2" 5214 "$1" 1
    in_ns cn "$PWD/tests/lab/transfer.py" send "$2" 5214 "$1" 1000000 >"$RUN/transfer.json"
    equal "a megabyte from $1 and back" "$(jq -c '[.received, .same]' "$RUN/transfer.json")" '[1000000,true]'
done

captured cn
captured behind
at_least "errors of the router" "$(count_frames behind "icmpv6.type == 2 && ipv6.dst == $LMA")" 1
equal "the first MTU that cn is told" "$(frames cn 'icmpv6.type == 2' icmpv6.mtu | head -1)" 1360
