#!/bin/bash
# A node of Mobile IPv6 and one of Mobile IPv4 come home and say so wrongly: with a number or a time of before, by another key. They hear
# it there, from the link-layer address that the home link knows them by, though their bindings still say that they are away; and those
# end when it is said right.
# proves: MIP6-10.3.2-9, MIP4-3.8.3.1-2, MIP4-3.8.3.1-3
. "$(dirname "$0")/_init.sh"
. tests/smoke/_home.sh
. tests/smoke/_mip4.sh
. tests/smoke/_mobile.sh
AWAY=$COA1
. tests/smoke/_mobile4.sh
AWAY_IPV4=$COA1
lab_namespaces=(mn mn2 mag1 mag2 anchor cn switch)    # both gateways are mere routers here
HOME_ADDRESS=2001:db8:a::77 HOME_IPV4=192.0.2.77 # on the link of the access port
key "$RUN/mn1.key" 7a
key "$RUN/other.key" 7b
echo "$MN_ID,,,,,$HOME_IPV4,,,,$HOME_ADDRESS,,$SPI:mn1.key,$SPI:mn1.key" >"$RUN/nodes.csv"
POLICY='nodes_file = "nodes.csv"'
ANCHORD_MORE="[home_agent]
delete_delay = '1s'
[[home_agent.link]]
prefix = '2001:db8:a::/64'
port = 'access'
[mip4]
timestamp_window = '20s'"

come_home() {
    unplug
    in_ns mn ip -6 address flush dev eth0 scope global
    in_ns mn ip -4 address flush dev eth0
    in_ns switch ip link set mn-eth0 master transit up
    address mn eth0 $HOME_ADDRESS/64
    address mn eth0 $HOME_IPV4/24
    # RFC 6275 11.5.5: from its home address it may not ask yet who has the home agent's.
    in_ns mn ip neigh replace $LMA lladdr 02:00:00:00:a0:01 dev eth0
}
refused() { # refused status seq [argument of bu.py ...]
    local answer
    answer=$(bu $HOME_ADDRESS "${@:2}" --lifetime 0)
    equal "status, address in a routing header, sequence number" "$(jq -c '[.status, .home, .seq]' <<<"$answer")" "[$1,null,$2]"
}
neighbour_reaches() { in_ns mag2 ping -c 1 -W 1 -I "$MAG2" $HOME_ADDRESS; }

lab_up
routers_up
links_up
anchord_start
routes_to_routers
routes_to_links
visit_link 1
in_ns mn ip -6 route replace default via 2001:db8:1::1 dev eth0 onlink
address mn eth0 $AWAY/64
registers $AWAY 9
answered 1 $AWAY_IPV4

come_home
capture access anchor access-dpdk
refused 135 9
refused 146 10 --key "$RUN/other.key"
answered 133 $HOME_IPV4 --lifetime 0 --age 3600
answered 131 $HOME_IPV4 --lifetime 0 --corrupt
expect "it is away still, by what it has said" away_at $AWAY
expect "the same of Mobile IPv4" care_ofs_are $AWAY_IPV4
expect "cn does not reach it where it is" unreached
captured access
for what in "mip6.mhtype == 6 && !icmpv6" "mip.type == 3 && !icmp"; do # nor what a kernel says of them
    equal "answers, $what" "$(count_frames access "$what")" 2
    equal "of which in a tunnel" "$(count_frames access "$what && (ipv6.nxt == 41 || ip.proto == 4)")" 0
    equal "to its link-layer address" "$(count_frames access "$what && eth.dst == 02:00:00:00:01:01")" 2
done
at_least "solicitations of ours" "$(count_frames access "icmpv6.nd.ns.target_address == $HOME_ADDRESS && eth.src == 02:00:00:00:a0:01 && ipv6.src != ::")" 1
at_least "packets to it that took its tunnel" "$(count_frames access "icmpv6.type == 128 && ipv6.dst == $AWAY")" 1

answer=$(bu $HOME_ADDRESS 10 --lifetime 0)
equal "status when it is right" "$(jq .status <<<"$answer")" 0
answered 1 $HOME_IPV4 --lifetime 0
eventually "no binding is left" no_binding
in_ns mag2 ip -6 neigh flush dev transit
eventually "a neighbour reaches it" neighbour_reaches
