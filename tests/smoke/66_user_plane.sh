#!/bin/bash
# Gateways whose tunnels end at another address than that from which they signal (RFC 7389, the option of
# RFC 6275 6.2.5): packets take it both ways, after a handoff too, and the address of the signaling is no way in.
. "$(dirname "$0")/_init.sh"
MAG1_USER_PLANE=2001:db8:a::21 MAG2_USER_PLANE=2001:db8:a::22

tunnelled() { count_frames access "ipv6.nxt == 41 && $1 == $2"; } # tunnelled ipv6.src|ipv6.dst address

lab_up
address mag1 transit $MAG1_USER_PLANE/64
address mag2 transit $MAG2_USER_PLANE/64
anchord_start
mag_start 1
mag_start 2
capture access anchor access-dpdk
attach 1a
expect "the binding is at mag1's user plane" binding_is_at $MAG1_USER_PLANE
stream_start 4
sleep 1
handoff 1a 2a $MAG2_USER_PLANE
stream_end
at_least "packets up" "$(stream uplink received)" 300
at_least "packets down" "$(stream downlink received)" 300
captured access
for user in $MAG1_USER_PLANE $MAG2_USER_PLANE; do
    at_least "tunnel packets from $user" "$(tunnelled ipv6.src "$user")" 50
    at_least "tunnel packets to $user" "$(tunnelled ipv6.dst "$user")" 50
    equal "messages to or from $user" "$(count_frames access "mipv6 && ipv6.addr == $user")" 0
done
for signaling in $MAG1 $MAG2; do
    equal "tunnel packets from $signaling" "$(tunnelled ipv6.src "$signaling")" 0
    equal "tunnel packets to $signaling" "$(tunnelled ipv6.dst "$signaling")" 0
    at_least "updates from $signaling" "$(count_frames access "mip6.mhtype == 5 && ipv6.src == $signaling")" 1
done

before=$(drops not_serving)
equal "the node's packet from the signaling address" \
    "$(in_ns mag2 tests/lab/echo.py --src $MAG2 --dst $LMA --inner-src "$(node_address)" --inner-dst $CN --wait 1)" nothing
equal "packets refused for it" $(($(drops not_serving) - before)) 1
