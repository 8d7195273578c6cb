#!/bin/bash
# A node of Mobile IPv4 behind a NAT, anchor-mn at anchord: UDP tunnels of RFC 3519 carry IPv4 and IPv6 both ways, and keepalives go;
# where there is no NAT it has none, unless it insists. Its registrations are never inside of them.
# proves: MIP4NAT-4.2-1
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
. tests/smoke/_mobile4.sh
MIP4='nat_keepalive = "1s"
nat_forced = true'
mip4_config

lab_up
links_up
nat_up
anchord_start
routes_to_links 1

visit_link 2
capture nat anchor access-dpdk
mn_start
eventually "the node is registered" mn_is .binding.care_of $COA2
equal "in what its packets travel" "$(mn .binding.delivery)" udp
equal "where anchord sends them" "$(mip4_binding '.[0].encapsulation')" udp-434
both_ways
eventually "the NAT's mapping is kept" mn_counted keepalive_sent 2
captured nat
carried_in nat $MAG2_IPV4 ip:udp:mip:ip ip:udp:mip:ipv6
equal "what the headers of RFC 3519 announce of IPv6" \
    "$(frames nat "icmpv6.type == 128" mip.nattt.nexthdr | sort -u)" 41
equal "packets of the node that the NAT let pass as they were" "$(count_frames nat "ip.addr == $COA2")" 0
at_least "keepalives" "$(count_frames nat "icmp.type == 8 && ip.dst == $LMA_IPV4 && ip.src == $HOME_IPV4")" 2

visit_link 1
eventually "the node is registered where there is no NAT" mn_is .binding.care_of $COA1
equal "in what its packets travel" "$(mn .binding.delivery)" ip
both_ways
stop mn || fail "anchor-mn ended with status $?"

capture forced anchor access-dpdk
mn_start 'delivery = "udp"'
eventually "the node is registered" mn_is .binding.care_of $COA1
both_ways
stop mn || fail "anchor-mn ended with status $?"
captured forced
carried_in forced $COA1 ip:udp:mip:ip ip:udp:mip:ipv6
equal "headers of requests and replies, before and in the tunnel's time" \
    "$(frames forced "mip.type in {1, 3}" frame.protocols | sort -u)" eth:ethertype:ip:udp:mip
at_least "replies" "$(count_frames forced "mip.type == 3")" 2
