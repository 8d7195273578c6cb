#!/bin/bash
# Two nodes at one gateway: their packets to each other take the tunnel, or not, as EnableMAGLocalRouting
# says; a source without a binding is not forwarded; the path MTU reaches the nodes; a gateway that stops
# leaves no rule, route or interface behind.
# proves: PMIP6-6.10.5-1, PMIP6-6.10.5-2, PMIP6-6.10.5-8, PMIP6-6.10.5-9, PMIP6-6.10.5-10, PMIP6-6.10.5-11
# proves: PMIP6-9.2-2, PMIP6-9.2-3, PMIP6-9.2-4, PMIP6-6.9.5-10, PMIP6-6.9.5-11
# proves: PMIP6-6.9.5-1, PMIP6-6.9.5-5, PMIP6-6.10.3-1, PMIP6-6.10.3-2, PMIP6-6.10.5-3
. "$(dirname "$0")/_init.sh"

node_mtu_is() { # node_mtu_is bytes
    [[ $(in_ns mn cat /proc/sys/net/ipv6/conf/eth0/mtu) == "$1" ]]
}
tunnel_mtu_is() { # tunnel_mtu_is bytes
    [[ $(in_ns mag1 ip -j link show mag-tun | jq '.[0].mtu') == "$1" ]]
}
# Requests of mn that the tunnel carried up, and down again.
tunnelled() {
    echo "$(count_frames access "icmpv6.type == 128 && ipv6.src == $MAG1 && ipv6.src == $first")" \
        "$(count_frames access "icmpv6.type == 128 && ipv6.dst == $MAG1 && ipv6.src == $first")"
}

lab_up
anchord_start
mag_start 1
attach 1a mn
attach 1b mn2
first=$(node_address mn) second=$(node_address mn2)

capture access anchor access-dpdk
expect "mn2 answers mn" in_ns mn ping -c 4 -i 0.2 -W 2 "$second"
in_ns mn ip -6 address add 2001:db8:bad::1/128 dev eth0 nodad
in_ns mn ping -c 2 -i 0.2 -W 1 -I 2001:db8:bad::1 $CN >/dev/null || true # no answer
captured access
equal "requests up and down the tunnel without local routing" "$(tunnelled)" "4 4"
equal "packets from an address without a binding" "$(count_frames access 'ipv6.src == 2001:db8:bad::1')" 0

expect "the node has the tunnel's MTU" node_mtu_is 1460
in_ns mag1 ip -6 route add $LMA/128 dev transit mtu 1400
eventually "the tunnel's MTU follows the path's" tunnel_mtu_is 1360
eventually "and the node's follows the tunnel's" node_mtu_is 1360
in_ns mag1 ip -6 route del $LMA/128 dev transit

stop mag1
equal "rules left" "$(in_ns mag1 ip -6 rule show | grep -c -v -e 'lookup local' -e 'lookup main')" 0
equal "routes left" "$(in_ns mag1 ip -6 route show table all | grep -c -e 5213 -e mag-tun)" 0
expect "no TUN is left" test ! -e "/sys/class/net/mag-tun" -a -z "$(in_ns mag1 ip -br link show type tun)"

MAG_LOCAL_ROUTING=true mag_start 1
attach 1a mn
attach 1b mn2
capture access anchor access-dpdk
expect "mn2 answers mn again" in_ns mn ping -c 4 -i 0.2 -W 2 "$second"
captured access
equal "requests up and down the tunnel with local routing" "$(tunnelled)" "0 0"
