#!/bin/bash
# A node of Mobile IPv4, anchor-mn at anchord, moves while streams of both families run, and comes home, where neighbours reach it without
# a tunnel. What somebody else sends through its tunnel, or it sends in another's name, is discarded and counted.
# workers: 1 2
# proves: REVTUN-4.3.2-2, REVTUN-4.3.2-3
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
. tests/smoke/_mobile4.sh
HOME_IPV4=192.0.2.77 AT_HOME=192.0.2.78 # the link of anchord's access port is its home link
mip4_config

come_home() {
    unplug
    in_ns mn ip -4 address flush dev eth0
    in_ns switch ip link set mn-eth0 master transit up
    in_ns mn ip address add $AT_HOME/24 dev eth0
    in_ns mn ip route replace default via $LMA_IPV4
}

lab_up
links_up
anchord_start
routes_to_links
visit_link 1
mn_start 'home_prefix = "192.0.2.0/24"'
eventually "the node is registered" mn_is .binding.care_of $COA1
both_ways

capture access anchor access-dpdk
start reflector4 cn "$BIN/lab-stream" reflect --listen "$CN_IPV4:5213"
start reflector6 cn "$BIN/lab-stream" reflect --listen "[$CN]:5213"
start stream4 mn "$BIN/lab-stream" run --to "$CN_IPV4:5213" --from "$HOME_IPV4:0" --seconds 60
start stream6 mn "$BIN/lab-stream" run --to "[$CN]:5213" --from "[$NODE_IPV6]:0" --seconds 60
sleep 1
visit_link 2
eventually "the node is registered at the second link" mn_is .binding.care_of $COA2
sleep 1
for m in 4 6; do
    stop "stream$m" || fail "the stream of IPv$m did not end well"
    for direction in uplink downlink; do
        equal "IPv$m $direction, duplicated, reordered" \
            "$(tail -1 "$RUN/stream$m.log" | jq -c "[.$direction | .duplicated, .reordered]")" "[0,0]"
    done
done
captured access
for m in "$COA1 ip.src" "$COA1 ip.dst" "$COA2 ip.src" "$COA2 ip.dst"; do
    for kind in "ip.proto == 17" "ipv6.nxt == 17"; do
        at_least "packets, $kind, ${m#* } ${m% *}" "$(count_frames access "udp && $kind && ${m#* } == ${m% *}")" 30
    done
done

spoofed() { in_ns mn tests/lab/echo.py --src $COA2 --dst $LMA_IPV4 --wait 0.5 "$@"; } # [argument of echo.py ...]
before=$(drops reverse_tunnel)
equal "an answer to what the node sends in the name of another" \
    "$(spoofed --inner-src 198.51.100.99 --inner-dst $CN_IPV4)" nothing
equal "the same of IPv6" "$(spoofed --inner-src 2001:db8:9100::1 --inner-dst $CN)" nothing
equal "an answer to what another sends in the name of the node" "$(in_ns mag1 tests/lab/echo.py --src $MAG1_IPV4 --dst $LMA_IPV4 --wait 0.5 \
    --inner-src $HOME_IPV4 --inner-dst $CN_IPV4)" nothing
equal "an answer to what the node sends in an encapsulation that was not agreed on" \
    "$(spoofed --inner-src $HOME_IPV4 --inner-dst $CN_IPV4 --encap gre)" nothing
equal "packets in it that were counted" "$(drops encapsulation)" 1
equal "security exceptions that were counted" $(($(drops reverse_tunnel) - before)) 3
at_least "of which the log tells" "$(grep -c "security exception.*source=198.51.100.99" "$RUN/anchord.log")" 1

capture home anchor access-dpdk
come_home
eventually "the registration is gone" mn_is .binding.care_of null
equal "where the node is" "$(mn .binding.at)" home
expect "a neighbour reaches it" in_ns mag2 ping -c 2 -i 0.2 -W 2 $HOME_IPV4
captured home
at_least "gratuitous ARP of the node" "$(count_frames home "arp.src.proto_ipv4 == $HOME_IPV4 && arp.dst.proto_ipv4 == $HOME_IPV4")" 1
equal "packets to the node at home in a tunnel" "$(count_frames home "ip.proto == 4 && ip.dst == $HOME_IPV4")" 0
expect "no registration is left" no_binding

visit_link 1
eventually "the node is registered again" mn_is .binding.care_of $COA1
both_ways
stop mn || fail "anchor-mn ended with status $?"
