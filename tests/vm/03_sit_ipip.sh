# shellcheck shell=bash
# IPv4 transport (RFC 5844 section 4), signaling in UDP: IPv6-in-IPv4 by the kernel's sit, IPv4-in-IPv4
# by its ipip.

up="ip.src == $MAG1_IPV4 && ip.dst == $LMA_IPV4"
down="ip.src == $LMA_IPV4 && ip.dst == $MAG1_IPV4"
anchord_start
register $MAG1_IPV4 $LMA_IPV4 --ipv4 0.0.0.0/0
guest ip link add tunnel type sit local $MAG1_IPV4 remote $LMA_IPV4
guest ip link add tunnel4 type ipip local $MAG1_IPV4 remote $LMA_IPV4
connect_ipv6 tunnel
pings_both_ways tunnel "$up && ip.proto == 41" "$down && ip.proto == 41"
tcp_both_ways
connect_ipv4 tunnel4
pings_both_ways tunnel4 "$up && ip.proto == 4" "$down && ip.proto == 4"
tcp_both_ways
