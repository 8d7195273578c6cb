#!/bin/bash
# The anchor's path to the gateway carries 1280 bytes, so what may not be refused is cut, and the kernel of the
# gateway puts it together. A gateway behind a path as small has its kernel cut what it sends, and the anchor
# puts that together.
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

# A gateway whose kernel cuts what does not fit its path.
in_ns mag1 ip -6 route add $LMA/128 dev transit mtu 1280
capture access anchor access-dpdk
capture cn cn eth0 icmp6
in_ns mag1 /usr/bin/python3 - "$node" >>"$RUN/scapy.log" 2>&1 <<END
import socket, sys
from scapy.all import ICMPv6EchoRequest, IPv6
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 41)  # the kernel writes the outer header
raw.bind(("$MAG1", 0))
for seq in range(5):
    echo = ICMPv6EchoRequest(id=71, seq=seq, data=b"x" * 1232)
    raw.sendto(bytes(IPv6(src=sys.argv[1], dst="$CN") / echo), ("$LMA", 0))
END
at_cn() { (($(count_frames cn "icmpv6.echo.identifier == 71 && icmpv6.type == 128 && ipv6.plen == 1240") >= 5)); }
eventually "the requests are at cn, whole" at_cn
captured access
captured cn
equal "fragments from the gateway" "$(count_frames access "ipv6.nxt == 44 && ipv6.src == $MAG1")" 10
at_least "packets put together" "$(counter worker_reassembled)" 5
equal "fragments dropped" "$(ctl drop show | jq '[.[] | select(.reason | startswith("fragment")) | .packets] | add // 0')" 0
