# shellcheck shell=bash
# A node that is at a gateway's link with a care-of address of that network (RFC 6612 3.1), and has a home agent elsewhere: what it and a
# correspondent send to each other without that one, with a Home Address option up and a type 2 routing header down, passes
# anchord as it is. Its kernel makes and takes the headers; the correspondent's packets are made and read by hand.
# proves: MIP6-10.4.5-1
# shellcheck source=tests/vm/_mip6.sh
. tests/vm/_mip6.sh
HOME_ADDRESS=2001:db8:77::7 # of no pool, and nobody's here

case_down() {
    guest "ip -n node xfrm policy flush; ip -n node xfrm state flush; ip -n node address flush dev lo scope global"
}

anchord_start
register $MAG1 $LMA
guest ip link add tunnel type ip6tnl mode any local $MAG1 remote $LMA encaplimit none
connect_ipv6 tunnel
guest "ip -n node link set lo up && ip -n node address add $HOME_ADDRESS/128 dev lo home nodad"
# shellcheck disable=SC2154 # node: connect_ipv6
mip6_states node $CN "$node"
mip6_policies node $CN
capture access anchor access-dpdk
in_ns cn tests/vm/route_optimised.py --correspondent $CN --care-of "$node" --home $HOME_ADDRESS --times $PINGS >"$RUN/optimised" ||
    fail "$(<"$RUN/optimised")"
captured access
equal "requests with a routing header, in the tunnel" \
    "$(count_frames access "ipv6.src == $LMA && ipv6.dst == $MAG1 && ipv6.routing.type == 2 && ipv6.dst == $node")" $PINGS
equal "replies with a Home Address option, in the tunnel" \
    "$(count_frames access "ipv6.src == $MAG1 && ipv6.dst == $LMA && ipv6.opt.type == 0xc9 && ipv6.src == $node")" $PINGS
