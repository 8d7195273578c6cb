#!/bin/bash
# A node that registers by itself, authenticated by a key: anchor-mn at anchord. Its home address is on the access port's link. It goes
# to two visited links behind routers, where a correspondent reaches it through its tunnel and so does a neighbour of its home link; it
# comes home, and the same neighbour, who took anchord for it before, reaches it at once without a tunnel.
# workers: 1 2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mobile.sh
lab_namespaces=(mn mn2 mag1 mag2 anchor cn switch) # the whole lab; both gateways are mere routers here
HA=$LMA HOME_ADDRESS=2001:db8:a::900 AT_HOME=2001:db8:a::1234

POLICY='nodes_file = "nodes"'
ANCHORD_MORE="[home_agent]
delete_delay = \"1s\"
[[home_agent.link]]
prefix = \"2001:db8:a::/64\"
port = \"access\""
echo "mn1@example.org, yes, , , , , , , , $HOME_ADDRESS, , 256:mn.key" >"$RUN/nodes"
key "$RUN/mn.key" 5e

come_home() {
    unplug
    in_ns mn ip -6 address flush dev eth0 scope global
    in_ns switch ip link set mn-eth0 master transit up
    in_ns mn ip -6 route replace default via $LMA dev eth0 onlink
    in_ns mn ip -6 address add $AT_HOME/64 dev eth0 nodad
}

lab_up
routers_up
anchord_start
routes_to_routers

capture access anchor access-dpdk
visit_router 1
mn_start 'mn_id = "mn1@example.org"' "[authentication]
spi = 256
key_file = \"mn.key\""
eventually "the node is registered" mn_is .binding.care_of $COA1
expect "the correspondent answers" in_ns mn ping -c 3 -i 0.2 -W 2 $CN
expect "the correspondent reaches the home address" in_ns cn ping -c 3 -i 0.2 -W 2 $HOME_ADDRESS

expect "a neighbour at home reaches the home address" in_ns mag2 ping -c 3 -i 0.2 -W 2 -I $MAG2 $HOME_ADDRESS

visit_router 2
eventually "the node is registered at the second link" mn_is .binding.care_of $COA2
expect "the correspondent answers" in_ns mn ping -c 3 -i 0.2 -W 2 $CN
expect "the correspondent reaches the home address" in_ns cn ping -c 3 -i 0.2 -W 2 $HOME_ADDRESS

come_home
eventually "the binding is gone" mn_is .binding.care_of null
equal "where the node is" "$(mn .binding.at)" home
expect "the neighbour reaches it there" in_ns mag2 ping -c 3 -i 0.2 -W 2 -I $MAG2 $HOME_ADDRESS
captured access
for m in 1:6 2:3; do # of the correspondent, and at the first link of the neighbour too
    coa=COA${m%:*}
    coa=${!coa}
    equal "requests of the node in the tunnel from $coa" \
        "$(count_frames access "icmpv6.type == 128 && ipv6.src == $coa && ipv6.src == $HOME_ADDRESS")" 3
    equal "requests to the node in the tunnel to $coa" \
        "$(count_frames access "icmpv6.type == 128 && ipv6.dst == $coa && ipv6.dst == $HOME_ADDRESS")" ${m#*:}
done
at_least "acknowledgements with a type 2 routing header" "$(count_frames access 'mip6.mhtype == 6 && ipv6.routing.type == 2')" 2

visit_router 1
eventually "the node is registered again" mn_is .binding.care_of $COA1
stop mn || fail "anchor-mn ended with status $?"
