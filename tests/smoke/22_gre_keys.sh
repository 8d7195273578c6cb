#!/bin/bash
# GRE keys: the gateway's downlink, ours uplink; ours stays over a handoff. A packet with another key is
# not the node's.
. "$(dirname "$0")/_init.sh"
LAB_IPV4=yes

lab_up
anchord_start
pbu() { in_ns "mag$1" tests/lab/pbu.py --src "$([[ $1 == 1 ]] && echo $MAG1 || echo $MAG2)" --dst $LMA --mn-id "$MN_ID" "${@:2}"; }
echo_through() { in_ns "mag$1" tests/lab/echo.py --src "$([[ $1 == 1 ]] && echo $MAG1 || echo $MAG2)" --dst $LMA --encap gre "${@:2}"; }

answer=$(pbu 1 --ipv4 0.0.0.0/0 --gre-key 77)
equal "status" "$(jq .status <<<"$answer")" 0
key=$(jq .gre_key <<<"$answer") home=$(binding .ipv4) hnp=$(binding '.hnp[0]')
equal "keys that are shown" "$(binding '"\(.encapsulation) \(.downlink_key) \(.uplink_key)"')" "gre 77 $key"
from_node=(--inner-src "$home" --inner-dst "$CN_IPV4")
equal "IPv4 with keys" "$(echo_through 1 --uplink-key "$key" --downlink-key 77 "${from_node[@]}")" answered
equal "IPv6 with keys" "$(echo_through 1 --uplink-key "$key" --downlink-key 77 --inner-src "${hnp%::*}::1" --inner-dst $CN)" answered
equal "another key" "$(echo_through 1 --uplink-key $((key + 1)) --downlink-key 77 --wait 1 "${from_node[@]}")" nothing
equal "no key" "$(echo_through 1 --downlink-key 77 --wait 1 "${from_node[@]}")" nothing

answer=$(pbu 2 --handoff 3 --prefix "$hnp" --ipv4 "$home/24" --gre-key 88)
equal "status of the handoff" "$(jq .status <<<"$answer")" 0
equal "our key" "$(jq .gre_key <<<"$answer")" "$key"
equal "at the new gateway" "$(echo_through 2 --uplink-key "$key" --downlink-key 88 "${from_node[@]}")" answered
