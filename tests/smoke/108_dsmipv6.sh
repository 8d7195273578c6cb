#!/bin/bash
# A node of Mobile IPv6 in networks without IPv6, anchor-mn at anchord (RFC 5555): behind a NAT and without one it registers by UDP, with a
# key, and has IPv6 and IPv4 both ways in UDP; an update keeps the NAT's mapping; it goes on to a network with IPv6.
# proves: DSMIP6-4.1-1, DSMIP6-4.1-2, DSMIP6-4.5-6, DSMIP6-4.5.1-1
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
. tests/smoke/_mobile4.sh
NODE_IPV6=2001:db8:100:7::9 COA6=2001:db8:1::9 # its home address is in the pool

POLICY='nodes_file = "nodes"'
ANCHORD_MORE='[home_agent]
delete_delay = "1s"
nat_keepalive = "1s"'
echo "$MN_ID, yes, , , , $HOME_IPV4, , , , $NODE_IPV6, , 256:mn.key" >"$RUN/nodes"
key "$RUN/mn.key" 5e

dsmip_start() {
    mn_run <<END
[mipv6]
home_address = "$NODE_IPV6"
home_agents = ["$LMA"]
home_agent_ipv4 = "$LMA_IPV4"
ipv4_home_address = "$HOME_IPV4"
mn_id = "$MN_ID"
[authentication]
spi = 256
key_file = "mn.key"
END
}

lab_up
links_up
nat_up
in_ns mag1 sysctl -qw net.ipv6.conf.all.forwarding=1
address mag1 access0 2001:db8:1::1/64
in_ns mag1 ip -6 route add default via $LMA
in_ns mn sysctl -qw net.ipv6.conf.{all,default}.accept_dad=0
anchord_start
routes_to_links 1
in_ns anchor ip -6 route add 2001:db8:1::/64 via $MAG1 dev access

visit_link 2
capture nat anchor access-dpdk
dsmip_start
eventually "the node is registered" mn_is .binding.care_of $COA2
equal "its IPv4 home address" "$(mn .binding.ipv4_home_address)" $HOME_IPV4
equal "in what its packets travel" "$(mn .binding.delivery)" udp
both_ways
eventually "the NAT's mapping is kept by updates" mn_counted refreshed 2
captured nat
carried_in nat $MAG2_IPV4 ip:udp:ip ip:udp:ipv6
equal "traffic classes outside and inside" "$(tshark -n -d udp.port==4191,ip -r "$RUN/nat.pcap" -Y "icmp.type == 8 || icmpv6.type == 128" \
    -T fields -e ip.dsfield -e ipv6.tclass 2>/dev/null | sort -u)" "0xba"$'\t'"0x000000ba"$'\n'"0xba,0xba"$'\t'
at_least "updates in UDP with both options of IPv4" "$(tshark -n -d udp.port==4191,ip -r "$RUN/nat.pcap" \
    -Y "mip6.mhtype == 5 && mip6.ipv4coa.addr == $COA2 && mip6.ipv4ha.ha == $HOME_IPV4 && ip.src == $MAG2_IPV4" 2>/dev/null | wc -l)" 3

visit_link 1
eventually "the node is registered where there is no NAT" mn_is .binding.care_of $COA1
both_ways

address mn eth0 $COA6/64
in_ns mn ip -6 route replace default via 2001:db8:1::1 dev eth0
eventually "the node is registered by IPv6" mn_is .binding.care_of $COA6
equal "in what its packets travel" "$(mn .binding.delivery)" ip
capture over-ipv6 anchor access-dpdk
both_ways
captured over-ipv6
equal "packets in UDP over IPv6, and in IPv4" "$(count_frames over-ipv6 "udp || (ip.addr == $LMA_IPV4 && icmpv6)")" 0
at_least "echoes of IPv4 in IPv6" "$(count_frames over-ipv6 "icmp && ipv6.addr == $COA6")" 8
stop mn || fail "anchor-mn ended with status $?"
eventually "no binding is left" no_binding
