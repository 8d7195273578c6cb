#!/bin/bash
# Tunnel packets are dropped, each under its own reason, when the gateway does not serve the node or
# when the inner source is nobody's; the same packet from the serving gateway passes.
# workers: 1 2
# proves: MIP6-10.4.5-3
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
mag_start 2
attach 1a
node=$(node_address)
in_ns cn ip link set eth0 promisc on
capture cn cn eth0 udp port 4444

at_cn() { (($(count_frames cn udp) >= $1)); } # at_cn frames

tunnel() { # tunnel magN outer-source inner-source count: sends UDP packets to cn in a tunnel
    in_ns "$1" /usr/bin/python3 - "$2" "$3" "$4" >>"$RUN/scapy.log" 2>&1 <<END
import socket, sys
from scapy.all import IPv6, UDP, Raw
outer, inner, count = sys.argv[1:]
packet = IPv6(src=outer, dst="$LMA") / IPv6(src=inner, dst="$CN") / UDP(sport=4444, dport=4444) / Raw(b"x" * 64)
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
for _ in range(int(count)):
    raw.sendto(bytes(packet), ("$LMA", 0))
END
}
tunnel mag2 $MAG2 "$node" 7             # a gateway that does not serve the node
tunnel mag1 $MAG1 2001:db8:bad::1 5     # an inner source outside every prefix
tunnel mag1 $MAG1 2001:db8:1ff::1 3     # one in the pool, that nobody holds
tunnel mag1 $MAG1 "$node" 2             # what is allowed
eventually "the good packets are at cn" at_cn 2
equal "dropped: not the serving gateway" "$(drops not_serving)" 7
equal "dropped: inner source" "$(drops inner_source)" 8
captured cn
equal "frames at cn" "$(count_frames cn udp)" 2
equal "frames at cn from the node" "$(count_frames cn "ipv6.src == $node")" 2
