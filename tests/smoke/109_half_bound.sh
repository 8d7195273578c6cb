#!/bin/bash
# A node of Mobile IPv4 with an address of its own registers through a foreign agent, both behind one NAT: the binding is half bound
# until the node's first keepalive says where the tunnel ends. Bogus keepalives change nothing, kill -9 of anchord neither. Then what a
# tunnel to the home address carries: what the care-of address sends back is dropped, what others send is not.
# proves: MIP4NAT-4.6-5, MIP4NAT-4.6-6, MIP4NAT-4.6-7, MIP4NAT-4.6-8, MIP4NAT-4.6-9, MIP4NAT-6.1.2-1
# proves: MIP4-4.2.3-10, MIP4-4.2.3-11, MIP4-4.2.3-12, MIP4-4.2.3-13, MIP4-4.2.3-15
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
PRIVATE=10.99.0.7 NAT=${CARE_OF_IPV4[0]} ELSEWHERE=${CARE_OF_IPV4[1]} PORT=45000
mip4_config

through_agent() { # through_agent: asks for the tunnel; the agent's packets come from another port than the node's
    answered 1 $PRIVATE --from "$NAT" --udp-tunnel R
    equal "what is said of the tunnel" "$(jq -c .udp_tunnel <<<"$reply")" '{"code":0,"forced":0,"keepalive":110}'
}
keepalive() { # keepalive address port inner-source inner-destination
    in_ns mn tests/lab/echo.py --encap mip4 --src "$1" --port "$2" --dst $LMA_IPV4 --inner-src "$3" --inner-dst "$4" --wait 1
}
tunnel_is() { equal "state and port of the tunnel" "$(mip4_binding '.[0] | "\(.state) \(.udp_port)"')" "$1"; }
two_left() { (($(mip4_binding '.[0].counters | map(.downlink_packets) | add') >= sent + 2)); }
tunneled() { # tunneled source destination: a packet of cn's in one from the source to the home address, by the access network
    in_ns mag1 /usr/bin/python3 - "$1" "$2" $HOME_IPV4 $CN_IPV4 <<'PYTHON'
import logging, sys
logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IP, UDP, Ether, sendp
source, destination, home, cn = sys.argv[1:]
packet = IP(src=source, dst=home) / IP(src=cn, dst=destination) / UDP(sport=7, dport=9) / b"again"
sendp(Ether(src="02:00:00:00:a0:11", dst="02:00:00:00:a0:01") / packet, iface="transit", verbose=False)
PYTHON
}

lab_up
visit4
anchord_start
through_agent
tunnel_is "half-bound null"
capture held anchor access-dpdk
before=$(drops held)
expect "cn does not reach the node" unreached4
captured held
equal "packets that left for the node" "$(count_frames held "ip.dst == $HOME_IPV4 && udp")" 0
at_least "packets that were held back" $(($(drops held) - before)) 1

equal "a keepalive from another address" "$(keepalive "$ELSEWHERE" $PORT $HOME_IPV4 $LMA_IPV4)" nothing
equal "a keepalive of another node" "$(keepalive "$NAT" $PORT 198.51.100.9 $LMA_IPV4)" nothing
equal "a keepalive to another host" "$(keepalive "$NAT" $PORT $HOME_IPV4 $CN_IPV4)" nothing
equal "keepalives of no tunnel, ignored by the control core" "$(counter mip4_ignored)" 1
tunnel_is "half-bound null"
stop anchord KILL || true
anchord_start
tunnel_is "half-bound null"
equal "the first keepalive" "$(keepalive "$NAT" $PORT $HOME_IPV4 $LMA_IPV4)" answered
tunnel_is "active $PORT"

tunnel4_from "$NAT" --encap udp:$PORT
expect "cn reaches the node" reached4
expect "the node reaches cn" reaches4
equal "another one, from another port" "$(keepalive "$NAT" $((PORT + 1)) $HOME_IPV4 $LMA_IPV4)" nothing
equal "keepalives that the control core refused" "$(counter mip4_keepalive_refused)" 1
stop anchord KILL || true
anchord_start
tunnel_is "active $PORT"
eventually "cn reaches the node after a restart" reached4
through_agent
tunnel_is "active $PORT"
expect "cn reaches the node after a refresh" reached4

tunnel4_from "$ELSEWHERE"
answered 1 "$ELSEWHERE"
expect "cn reaches the node elsewhere" reached4
sent=$(mip4_binding '.[0].counters | map(.downlink_packets) | add')
capture loop anchor access-dpdk
tunneled "$ELSEWHERE" $HOME_IPV4
tunneled "$MAG1_IPV4" $HOME_IPV4
tunneled "$ELSEWHERE" $CN_IPV4
eventually "two went to the node" two_left
captured loop
equal "what the care-of address sent back was dropped" "$(drops tunnel_loop)" 1
for m in "$MAG1_IPV4 $HOME_IPV4" "$ELSEWHERE $CN_IPV4"; do
    equal "of what it did not, each got a tunnel header: ${m% *} ${m#* }" \
        "$(count_frames loop "udp.dstport == 9 && ip.src == $LMA_IPV4 && ip.src == ${m% *} && ip.dst == ${m#* }")" 1
done
equal "packets of the three that left" "$(count_frames loop "udp.dstport == 9 && ip.src == $LMA_IPV4")" 2
