#!/bin/bash
# As 70_path_mtu.sh, over IPv4: tunnel packets with IPv6 have no DF, so the router cuts them. Those with IPv4 have the
# packet's: the router's "fragmentation needed" sets the tunnel's MTU, for both families, and reaches the correspondent.
# proves: PMIP4-3.1.4-2
. "$(dirname "$0")/_init.sh"
lab_namespaces+=(router)
LAB_IPV4=true MAG_IPV4=any MAG_LMA=$LMA_IPV4 MAG1=2001:db8:b::11 MAG1_IPV4=10.0.0.11

lab_up
router_before_mag1 1400
anchord_start
route_to_mag1
mag_start 1
attach 1a
lease mn
node=$(node_address) node_ipv4=$(node_ipv4 mn)
# Its answers are not what is looked at.
for family in "4 $CN_IPV4" "6 $CN"; do
    via=$(in_ns mn ip -j "-${family% *}" route show default | jq -r '.[0].gateway')
    in_ns mn ip "-${family% *}" route add "${family#* }" via "$via" dev eth0 mtu lock 1300
done
equal "the binding's gateway" "$(binding .proxy_coa)" $MAG1_IPV4
capture cn cn eth0 icmp6 or icmp
capture behind router to-mag

expect "the tunnel's MTU before" tunnel_mtu_is 1500 $MAG1_IPV4
expect "IPv6 passes, cut by the router" in_ns cn ping -c 1 -W 3 -M "do" -I $CN -s 1400 "$node"
# 1448 bytes fit the access port, their tunnel packets do not fit the router's link.
in_ns cn ping -c 1 -W 1 -M "do" -I $CN_IPV4 -s 1420 "$node_ipv4" && fail "a packet larger than the path came through"
eventually "the tunnel's MTU is the path's" tunnel_mtu_is 1400 $MAG1_IPV4
expect "cn has learnt the path's MTU" knows_mtu 4 "$node_ipv4" $CN_IPV4 1380
expect "what fits goes through" in_ns cn ping -c 1 -W 3 -M "do" -I $CN_IPV4 -s 1352 "$node_ipv4"
equal "paths learnt" "$(counter path_mtu_learnt)" 1
in_ns cn ping -c 1 -W 1 -M "do" -I $CN -s 1400 "$node" && fail "an IPv6 packet larger than the tunnel came through"
expect "cn has learnt it for IPv6" knows_mtu 6 "$node" $CN 1380
expect "IPv4 without DF passes" in_ns cn ping -c 1 -W 3 -M dont -I $CN_IPV4 -s 1420 "$node_ipv4"

# What no router said is not believed: a smaller MTU about a packet that was never sent.
in_ns router /usr/bin/python3 - "$node_ipv4" >>"$RUN/scapy.log" 2>&1 <<END
import socket, sys
from scapy.all import ICMP, IP, Raw, UDP
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for gateway, node in [("10.0.0.99", sys.argv[1]), ("$MAG1_IPV4", "198.51.100.250")]:
    sent = IP(src="$LMA_IPV4", dst=gateway, flags="DF", proto=4) / IP(src="$CN_IPV4", dst=node, flags="DF") / UDP() / Raw(bytes(900))
    told = IP(src="${LMA_IPV4%.*}.254", dst="$LMA_IPV4") / ICMP(type=3, code=4, nexthopmtu=700) / sent
    raw.sendto(bytes(told), ("$LMA_IPV4", 0))
END
eventually "they were dropped" test "$(drops tunnel_error_stray)" = 2
expect "the tunnel's MTU is what it was" tunnel_mtu_is 1400 $MAG1_IPV4
captured cn
captured behind
at_least "fragments by the router" "$(count_frames behind "ip.src == $LMA_IPV4 && (ip.flags.mf == 1 || ip.frag_offset > 0)")" 2
equal "the first MTU that cn is told" "$(frames cn 'icmp.type == 3 && icmp.code == 4' icmp.mtu | head -1)" 1380
