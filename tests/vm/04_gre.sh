# shellcheck shell=bash
# GRE with keys over IPv4, both families in one tunnel.
KEY=4712

anchord_start
register $MAG1_IPV4 $LMA_IPV4 --ipv4 0.0.0.0/0 --gre-key $KEY
up="ip.src == $MAG1_IPV4 && ip.dst == $LMA_IPV4 && gre.key == $(answer .gre_key)"
down="ip.src == $LMA_IPV4 && ip.dst == $MAG1_IPV4 && gre.key == $KEY"
guest ip link add tunnel type gre local $MAG1_IPV4 remote $LMA_IPV4 ikey $KEY okey "$(answer .gre_key)"
connect_ipv6 tunnel
pings_both_ways tunnel "$up && gre.proto == 0x86dd" "$down && gre.proto == 0x86dd"
tcp_both_ways
connect_ipv4 tunnel
pings_both_ways tunnel "$up && gre.proto == 0x0800" "$down && gre.proto == 0x0800"
tcp_both_ways
