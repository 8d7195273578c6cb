# shellcheck shell=bash
# UDP over IPv4 (the F flag, RFC 5844 4.1.3.1): the kernel's "foo over UDP", which takes one family a port.
# A node of IPv6 first, then, in another session, one of IPv4.

up="ip.src == $MAG1_IPV4 && ip.dst == $LMA_IPV4 && udp.dstport == 5437"
down="ip.src == $LMA_IPV4 && ip.dst == $MAG1_IPV4 && udp.srcport == 5437 && udp.dstport == 5437"
fou() { # fou tunnel-type protocol-number
    guest "ip fou add port 5437 ipproto $2 && ip link add tunnel type $1 local $MAG1_IPV4 remote $LMA_IPV4
        encap fou encap-sport 5437 encap-dport 5437"
}

anchord_start
register $MAG1_IPV4 $LMA_IPV4 --force-udp
fou sit 41
connect_ipv6 tunnel
pings_both_ways tunnel "$up" "$down"
tcp_both_ways
disconnect
guest ip fou del port 5437

MN_ID=$MN2_ID
register $MAG1_IPV4 $LMA_IPV4 --force-udp --prefix "" --ipv4 0.0.0.0/0
fou ipip 4
connect_ipv4 tunnel
pings_both_ways tunnel "$up" "$down"
tcp_both_ways
guest ip fou del port 5437
