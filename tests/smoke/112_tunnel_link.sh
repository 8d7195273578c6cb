#!/bin/bash
# The tunnel of a dual-stack node of Mobile IPv4, anchor-mn at anchord, is a link of IPv6 (RFC 5454 3.6): both ends have link-local addresses
# by their IPv4 addresses. In every encapsulation the node reaches ours, and scapy's solicitations of it are answered, without link-layer
# addresses. Whatever else is of the link goes nowhere, and is no security exception.
# workers: 1 2
# proves: DSMIP4-3.6-1, DSMIP4-3.6-2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
. tests/smoke/_mobile4.sh
MIP4='nat_forced = true'
mip4_config
OURS=fe80::c000:201 GROUP=ff02::1:ff00:201 # of 192.0.2.1
THEIRS=fe80::c633:6407                     # of 198.51.100.7

solicited() { # solicited destination target [argument of neighbor.py ...]
    in_ns mn tests/lab/neighbor.py --interface mn-tun --src $THEIRS --dst "$1" --target "$2" "${@:3}"
}
tunnel_link() { # tunnel_link name headers [more of mipv4]
    local dst
    mn_start "${3:-}"
    eventually "the node is registered: $1" mn_is .binding.care_of $COA1
    equal "link-local addresses of the tunnel" "$(in_ns mn ip -j -6 address show dev mn-tun scope link | jq -r '.[0].addr_info[].local // empty')" $THEIRS
    capture "$1" anchor access-dpdk
    expect "the node reaches our end: $1" in_ns mn ping -6 -c 2 -i 0.2 -W 2 $OURS%mn-tun
    for dst in $OURS $GROUP; do
        equal "who answers $dst, by which flags, with which options, to whom: $1" \
            "$(solicited "$dst" $OURS | jq -c '[.src, .target, .router, .solicited, .override, .options, .hop_limit, .dst, .intact]')" \
            "[\"$OURS\",\"$OURS\",1,1,0,0,255,\"$THEIRS\",true]"
    done
    captured "$1"
    equal "headers of echoes: $1" "$(headers "$1" $COA1)" "from 128 $2"$'\n'"to 129 $2"
    equal "advertisements: $1" "$(count_frames "$1" "icmpv6.type == 136 && ip.dst == $COA1")" 2
    both_ways
    stop mn || fail "anchor-mn ended with status $?"
}

lab_up
links_up
anchord_start
routes_to_links
visit_link 1
tunnel_link care-of ip:ipv6
tunnel_link home ip:ip:ipv6 'ipv6_tunnel = "home"'
tunnel_link gre ip:gre:ipv6 'delivery = "gre"'
tunnel_link udp ip:udp:mip:ipv6 'delivery = "udp"'

mn_start
eventually "the node is registered" mn_is .binding.care_of $COA1
before=$(drops source_scope)
equal "who answers for another" "$(solicited $OURS $THEIRS --wait 0.5 | jq .target)" null
equal "who answers to another group" "$(solicited ff02::1:ff00:202 $OURS --wait 0.5 | jq .target)" null
at_least "packets of the link that were discarded" $(($(drops source_scope) - before)) 2
equal "security exceptions" "$(drops reverse_tunnel)" 0
stop mn || fail "anchor-mn ended with status $?"
