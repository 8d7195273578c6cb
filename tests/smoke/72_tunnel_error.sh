#!/bin/bash
# The router on the way to the gateway loses its route: the correspondent is told that the node's address
# cannot be reached, by the anchor, in both families.
# workers: 1 2
# proves: PMIP4-3.1.4-2
. "$(dirname "$0")/_init.sh"
lab_namespaces+=(router)
LAB_IPV4=true MAG_IPV4=any MAG1=2001:db8:b::11

lab_up
router_before_mag1 1500
anchord_start
route_to_mag1
mag_start 1
attach 1a
lease mn
node=$(node_address) node_ipv4=$(node_ipv4 mn)
expect "the node is reached" in_ns cn ping -c 1 -W 3 -I $CN "$node"
capture cn cn eth0 icmp6 or icmp

in_ns router ip -6 route add unreachable $MAG1/128
in_ns cn ping -c 2 -i 0.3 -W 1 -I $CN "$node" && fail "an unreachable node answered"
in_ns cn ping -c 2 -i 0.3 -W 1 -I $CN_IPV4 "$node_ipv4" && fail "an unreachable node answered by IPv4"
captured cn
told=$(frames cn "icmpv6.type == 1 && ipv6.dst == $CN" ipv6.src icmpv6.code | head -1)
# tshark shows those of the packet that is quoted behind them.
equal "what cn is told, and by whom" "$(sed 's/,[^\t]*//g' <<<"$told")" "$(printf '%s\t%s' $ANCHOR_CORE 3)"
equal "the same of IPv4" "$(frames cn "icmp.type == 3 && ip.dst == $CN_IPV4" icmp.code | head -1 | cut -d, -f1)" 1
at_least "errors about tunnel packets" "$(drops tunnel_error)" 2
