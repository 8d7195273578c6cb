#!/bin/bash
# Errors that a sender provokes: so many at once to one network or host, others get theirs meanwhile; so many in all; none
# about errors, later fragments or multicast, and none to a source that is no host's.
. "$(dirname "$0")/_init.sh"
LAB_IPV4=yes
NOBODY=2001:db8:1ff::1 NOBODY_IPV4=198.51.100.250

lab_up
anchord_start
expect "cn is reached" in_ns anchor ping -c 1 -W 3 $CN # the errors' way
expect "cn is reached by IPv4" in_ns anchor ping -c 1 -W 3 $CN_IPV4
capture cn cn eth0 icmp6 or icmp

frames_to_nobody() { # frames_to_nobody times scapy-expression ...: all at once
    in_ns cn /usr/bin/python3 - "$@" >>"$RUN/scapy.log" 2>&1 <<END
import socket, sys
from scapy.all import Ether, ICMP, ICMPv6DestUnreach, IP, IPv6, IPv6ExtHdrFragment, Raw, UDP
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
    s.bind(("eth0", 0))
    frames = [bytes(Ether(dst="02:00:00:00:a0:02") / eval(packet)) for packet in sys.argv[2:]]
    for frame in frames * int(sys.argv[1]):
        s.send(frame)
END
}
answered() { echo $(($(counter worker_icmp_errors) + $(counter worker_icmp_limited_source) + $(counter worker_icmp_limited))); }
answered_is() { [[ $(answered) == "$1" ]]; }
suppressed_is() { [[ $(counter worker_icmp_suppressed) == "$1" ]]; }

frames_to_nobody 200 "IPv6(src='$CN', dst='$NOBODY') / UDP()" "IP(src='$CN_IPV4', dst='$NOBODY_IPV4') / UDP()"
frames_to_nobody 1 "IPv6(src='$CN_LINK', dst='$NOBODY') / UDP()" "IP(src='$CN_LINK_IPV4', dst='$NOBODY_IPV4') / UDP()"
eventually "all were looked at" answered_is 402
at_least "errors that were not sent" "$(counter worker_icmp_limited_source)" 200

# (A later fragment of IPv4 does not get this far: the kernel under net_af_packet waits for its first one.)
# A sender of many networks: the limit of all.
mapfile -t many < <(for n in {1..400}; do echo "IPv6(src='2001:db8:f:$(printf %x "$n")::1', dst='$NOBODY') / UDP()"; done)
frames_to_nobody 1 "${many[@]}"
eventually "all were looked at" answered_is 802
at_least "errors over the limit of all" "$(counter worker_icmp_limited)" 100
sleep 1 # its bucket fills again

before=$(counter worker_icmp_suppressed)
frames_to_nobody 1 "IPv6(src='$CN_LINK', dst='$NOBODY') / ICMPv6DestUnreach() / Raw(b'x' * 48)" \
    "IPv6(src='$CN_LINK', dst='$NOBODY') / IPv6ExtHdrFragment(nh=17, offset=9) / Raw(b'x' * 48)" \
    "IPv6(src='fe80::1', dst='$NOBODY') / UDP()" "IPv6(src='ff02::1', dst='$NOBODY') / UDP()" \
    "IPv6(src='::', dst='$NOBODY') / UDP()" "IP(src='$CN_LINK_IPV4', dst='$NOBODY_IPV4') / ICMP(type=3, code=1)" \
    "IP(src='127.0.0.1', dst='$NOBODY_IPV4') / UDP()" "IP(src='224.0.0.9', dst='$NOBODY_IPV4') / UDP()"
eventually "nobody was told of eight of them" suppressed_is $((before + 8))
punted=$(counter worker_punt_exception)
frames_to_nobody 1 "IPv6(src='$CN_LINK', dst='ff0e::1') / UDP()" "IPv6(src='$CN_LINK', dst='fe80::1') / UDP()"
eventually "what is sent to no node of ours is the kernel's" counted worker_punt_exception $((punted + 2))
captured cn
told=$(count_frames cn "(icmpv6.type == 1 && ipv6.dst == $CN) || (icmp.type == 3 && ip.dst == $CN_IPV4)")
at_least "errors to those who asked for many" "$told" 32
at_least "at most" $((32 + 2 * 2 * 50)) "$told" # in two seconds
told=$(count_frames cn "(icmpv6.type == 1 && ipv6.dst == $CN_LINK) || (icmp.type == 3 && ip.dst == $CN_LINK_IPV4)")
equal "errors to the others" "$told" 2
equal "errors in all" "$(counter worker_icmp_errors)" "$(count_frames cn "(icmpv6.type == 1 && ipv6.src == $ANCHOR_CORE) || (icmp.type == 3 && ip.src == $ANCHOR_CORE_IPV4)")"
