#!/bin/bash
# The anchor's path to the gateway carries 1280 bytes, so what may not be refused is cut, and the kernel of the
# gateway puts it together. A gateway that is the kernel's own tunnel, behind a path as small, cuts what it
# sends, and the anchor puts that together.
# workers: 1 2
# proves: PMIP4-3.1.4-2
TUNNEL_MTU=1280
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any

lab_up
anchord_start
mag_start 1
attach 1a
lease mn
node=$(node_address) node_ipv4=$(node_ipv4 mn)

capture access anchor access-dpdk
expect "1280 bytes pass" in_ns mn ping -c 5 -i 0.2 -W 2 -M "do" -s 1232 $CN
expect "IPv4 without DF passes" in_ns mn ping -c 5 -i 0.2 -W 2 -M dont -s 1272 $CN_IPV4
captured access
equal "fragments to the gateway" "$(count_frames access "ipv6.nxt == 44 && ipv6.src == $LMA")" 20
at_least "frames sent beyond one a packet" "$(counter worker_fragments_sent)" 10

# The kernel's tunnel adds a Tunnel Encapsulation Limit by itself, too.
in_ns mag1 ip -6 route add $LMA/128 dev transit mtu 1280
in_ns mag1 ip -6 tunnel add kernel-tun mode any local $MAG1 remote $LMA dev transit
in_ns mag1 ip link set kernel-tun up mtu 1280
capture access anchor access-dpdk
capture cn cn eth0 icmp6
in_ns mag1 ip -6 address add "$node/128" dev kernel-tun nodad
in_ns mag1 ip -6 route add $CN/128 dev kernel-tun table 71
in_ns mag1 ip -6 rule add from "$node" lookup 71 pref 1
in_ns mag1 ping -c 5 -i 0.2 -W 1 -M "do" -I "$node" -s 1232 $CN || true # answers go to the node
at_cn() { (($(count_frames cn "icmpv6.type == 128 && ipv6.plen == 1240") >= 5)); }
eventually "the requests are at cn, whole" at_cn
captured access
captured cn
equal "fragments from the gateway" "$(count_frames access "ipv6.nxt == 44 && ipv6.src == $MAG1")" 10
at_least "packets put together" "$(counter worker_reassembled)" 5
equal "fragments dropped" "$(ctl drop show | jq '[.[] | select(.reason | startswith("fragment")) | .packets] | add // 0')" 0
