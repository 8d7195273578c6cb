#!/bin/bash
# A mobile router at anchord (RFC 3963): a host behind anchor-mn is reached by a correspondent and reaches it, wherever the router is;
# explicit mode first, then implicit mode. Its home address is in a pool.
# workers: 1 2
# proves: NEMO-6.4-1, NEMO-6.5-2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mobile.sh
lab_namespaces=(mn mn2 mag1 mag2 anchor cn switch) # the whole lab; both gateways are mere routers here
HA=$LMA HOME_ADDRESS=2001:db8:100:7::9 HOST=2001:db8:700::2

POLICY='nodes_file = "nodes"'
ANCHORD_MORE='[home_agent]'
echo "mn1@example.org, yes, , , , , , , , $HOME_ADDRESS, 2001:db8:700::/56, none" >"$RUN/nodes"

lab_up
routers_up
anchord_start
routes_to_routers
link mn net0 mn2 net0
in_ns mn2 sysctl -qw net.ipv6.conf.all.accept_dad=0
address mn net0 2001:db8:700::1/64
address mn2 net0 $HOST/64
in_ns mn2 ip -6 route replace default via 2001:db8:700::1

both_ways() { # both_ways count
    expect "the correspondent reaches the host" in_ns cn ping -c "$1" -i 0.2 -W 2 $HOST
    expect "the host reaches the correspondent" in_ns mn2 ping -c "$1" -i 0.2 -W 2 $CN
}

is_advertised() { in_ns anchor ip -6 route show table 213 | grep -q "^2001:db8:700::/56 dev core proto 213"; }

visit_router 1
is_advertised && fail "routers are led to a network that nobody has registered"
mn_start 'mobile_networks = ["2001:db8:700::/56"]'
eventually "the router is registered" mn_is .binding.care_of $COA1
eventually "routers of the core are led to its network (RFC 3963 6.3)" is_advertised
capture access anchor access-dpdk
both_ways 3
captured access
equal "of the host in the tunnel" "$(count_frames access "icmpv6.type == 128 && ipv6.src == $COA1 && ipv6.src == $HOST")" 3
equal "to the host in the tunnel" "$(count_frames access "icmpv6.type == 128 && ipv6.src == $HA && ipv6.dst == $COA1 && ipv6.dst == $HOST")" 3
visit_router 2
eventually "the router is registered at the second link" mn_is .binding.care_of $COA2
both_ways 3
stop mn || fail "anchor-mn ended with status $?"

visit_router 1
mn_start 'mobile_networks = ["2001:db8:700::/56"]
explicit = false'
eventually "the router is registered" mn_is .binding.care_of $COA1
both_ways 3
equal "registrations as a node only" "$(mn '.counters.not_as_router // 0')" 0
