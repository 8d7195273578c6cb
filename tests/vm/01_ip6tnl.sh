# shellcheck shell=bash
# IPv6-in-IPv6 as Linux makes it unless told otherwise: the uplink has a Destination Options header
# with a Tunnel Encapsulation Limit of 4 (RFC 2473 4.1.1); the anchor's packets have none.

anchord_start
register $MAG1 $LMA
guest ip link add tunnel type ip6tnl mode any local $MAG1 remote $LMA
connect_ipv6 tunnel
pings_both_ways tunnel "ipv6.src == $MAG1 && ipv6.dst == $LMA && ipv6.opt.tel == 4" \
    "ipv6.src == $LMA && ipv6.dst == $MAG1 && !ipv6.dstopts"
tcp_both_ways
