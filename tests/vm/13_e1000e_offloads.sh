# shellcheck shell=bash
# One worker on e1000e NICs: frames of 9000 bytes lie in two buffers, as they come and as they leave. Tunnels over
# IPv4 too, whose header has a checksum.
# shellcheck source=tests/vm/_nic.sh
. tests/vm/_nic.sh
LAB_IPV4=true

nic_lab 2
mtu_is 9000
nic_start
equal "the NICs' driver" "$(port access .driver) $(port core .driver)" "net_e1000_em net_e1000_em"
equal "steering" "$(port access .steering) $(port core .steering)" "single single"
both_ways() { # both_ways bytes-of-IPv6-packets bytes-of-IPv4-packets
    local way
    for way in down up; do
        cross $way "$1"
        cross $way "$2" --correspondents $CN_IPV4 $CN_LINK_IPV4
    done
}

sessions $LMA "$MAG2" --ipv4-share 100
both_ways 8900 78
sessions $LMA_IPV4 "$MAG2_IPV4" --first-node $NODES --ipv4-share 100
both_ways 78 8900
