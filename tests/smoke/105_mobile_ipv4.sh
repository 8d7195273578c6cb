#!/bin/bash
# A node of Mobile IPv4, anchor-mn at anchord, has IPv4 and IPv6 both ways in each mode of RFC 5454: IPv6 in IPv4 to the care-of address,
# to the home address inside of that, without being asked for, and in GRE; with timestamps and with nonces. tshark says which headers
# stand before which.
# workers: 1 2
# Senders are told of the tunnel's MTU, and of what becomes of its packets on their way.
# proves: REVTUN-4.3.2-5, DSMIP4-3.6-5, DSMIP4-3.6-3, MIP4-4.2.3-6
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
. tests/smoke/_mobile4.sh
mip4_config
ANCHORD_MORE+=$'\n[tunnel]\nmtu = 1400'

mode() { # mode name headers-of-ipv4 headers-of-ipv6 [more of mipv4]
    mn_start "${4:-}" "${KEYS:-}"
    eventually "the node is registered: $1" mn_is .binding.care_of $COA1
    capture "$1" anchor access-dpdk
    both_ways
    captured "$1"
    carried_in "$1" $COA1 "$2" "$3"
}
ends() {
    stop mn || fail "anchor-mn ended with status $?"
    expect "no registration is left" no_binding
}

lab_up
links_up
anchord_start
routes_to_links
visit_link 1

mode care-of ip:ip ip:ipv6
equal "traffic classes outside and inside" "$(frames care-of "icmp.type == 8 || icmpv6.type == 128" ip.dsfield ipv6.tclass | sort -u)" \
    "0xba"$'\t'"0x000000ba"$'\n'"0xba,0xba"$'\t'

# RFC 4213 3.2.1, whatever the links carry; routers may cut what has IPv6 in it.
in_ns cn ping -c 1 -W 1 -M "do" -I $CN -s 1333 $NODE_IPV6 && fail "an IPv6 packet larger than the tunnel came through"
eventually "cn has learnt the tunnel's MTU" knows_mtu 6 $NODE_IPV6 $CN 1380
capture whole anchor access-dpdk
expect "a packet of 1380 bytes passes" in_ns cn ping -c 1 -W 2 -M "do" -I $CN -s 1332 $NODE_IPV6
captured whole
equal "length of its tunnel packet, DF" "$(frames whole "icmpv6.type == 128" ip.len ip.flags.df)" "1400"$'\t'0
# RFC 2003 5: the router before the node has lost it.
capture errors cn eth0 icmp or icmp6
in_ns mag1 ip route add unreachable $COA1/32
in_ns cn ping -c 1 -W 1 -I $CN_IPV4 $HOME_IPV4 && fail "an unreachable node answered"
in_ns cn ping -c 1 -W 1 -I $CN $NODE_IPV6 && fail "an unreachable node answered by IPv6"
in_ns mag1 ip route del unreachable $COA1/32
captured errors
equal "codes of what cn is told" "$(frames errors "icmp.type == 3 || icmpv6.type == 1" icmp.code icmpv6.code | cut -d, -f1)" 1$'\n\t'3
equal "prefixes" "$(mn '.binding.prefixes[] | "\(.prefix) \(.to_care_of)"')" "$NETWORK true"
ends
mode home ip:ip ip:ip:ipv6 'ipv6_tunnel = "home"'
equal "both tunnels of IPv6" "$(frames home "icmpv6.type == 128 && ip.src == $COA1" ip.src ip.dst | sort -u)" \
    "$COA1,$HOME_IPV4"$'\t'"$LMA_IPV4,$LMA_IPV4"
ends
mode gre ip:gre:ip ip:gre:ipv6 'delivery = "gre"'
ends

stop anchord || true
MIP4_NODE="256:mn1.key:nonce implicit" mip4_config
anchord_start
routes_to_links
KEYS='replay = "nonce"'
mode implicit ip:ip ip:ip:ipv6 'explicit = false'
at_least "nonces that had to be taken over" "$(mn '.counters.refused_133')" 1
ends
