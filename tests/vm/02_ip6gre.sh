# shellcheck shell=bash
# GRE with keys over IPv6 (RFC 5845), both families in one tunnel: the gateway's key downlink, the
# anchor's uplink, and Linux's Tunnel Encapsulation Limit before the uplink's GRE header.
KEY=4711

anchord_start
register $MAG1 $LMA --ipv4 0.0.0.0/0 --gre-key $KEY
up="ipv6.src == $MAG1 && ipv6.dst == $LMA && ipv6.opt.tel == 4 && gre.key == $(answer .gre_key)"
down="ipv6.src == $LMA && ipv6.dst == $MAG1 && ipv6.nxt == 47 && gre.key == $KEY"
guest ip link add tunnel type ip6gre local $MAG1 remote $LMA ikey $KEY okey "$(answer .gre_key)"
connect_ipv6 tunnel
pings_both_ways tunnel "$up && gre.proto == 0x86dd" "$down && gre.proto == 0x86dd"
tcp_both_ways
connect_ipv4 tunnel
pings_both_ways tunnel "$up && gre.proto == 0x0800" "$down && gre.proto == 0x0800"
tcp_both_ways
