# shellcheck shell=bash
# IPv6-in-IPv6 and IPv4-in-IPv6 as Linux makes them unless told otherwise: the uplink has a Destination
# Options header with a Tunnel Encapsulation Limit of 4 (RFC 2473 4.1.1); the anchor's packets have none.

up="ipv6.src == $MAG1 && ipv6.dst == $LMA && ipv6.opt.tel == 4"
down="ipv6.src == $LMA && ipv6.dst == $MAG1 && !ipv6.dstopts"
anchord_start
register $MAG1 $LMA --ipv4 0.0.0.0/0
guest ip link add tunnel type ip6tnl mode any local $MAG1 remote $LMA
connect_ipv6 tunnel
pings_both_ways tunnel "$up && ipv6.dstopts.nxt == 41" "$down && ipv6.nxt == 41"
tcp_both_ways
connect_ipv4 tunnel
pings_both_ways tunnel "$up && ipv6.dstopts.nxt == 4" "$down && ipv6.nxt == 4"
tcp_both_ways
