#!/bin/bash
# A node has a home network prefix and an IPv4 home address over one IPv6 tunnel, and both are forwarded
# both ways; then over IPv4, while signaling stays as it was (an Alternate IPv4 Care-of Address, and the option of RFC
# 7389 4 that asks for our end). The gateway is made by scapy.
. "$(dirname "$0")/_init.sh"
LAB_IPV4=yes

lab_up
anchord_start
scapy_mag mag1 $MAG1 $LMA

answer=$(pbu --ipv4 0.0.0.0/0)
equal "status" "$(jq .status <<<"$answer")" 0
equal "status of the IPv4 home address" "$(jq .ipv4_status <<<"$answer")" 0
home=$(jq -r .ipv4 <<<"$answer")
expect "it is of the pool" in_prefix "${home%/*}" $POOL_IPV4
equal "its prefix length" "${home#*/}" 24
equal "the binding's address" "$(binding .ipv4)" "${home%/*}"
hnp=$(binding '.hnp[0]')
equal "IPv4 through the tunnel" "$(echo_through --inner-src "${home%/*}" --inner-dst $CN_IPV4)" answered
equal "IPv6 through the tunnel" "$(echo_through --inner-src "${hnp%::*}::1" --inner-dst $CN)" answered
equal "packets of IPv4 down" "$(binding '.counters[1].downlink_packets')" 1
equal "an address that is not the node's" \
    "$(echo_through --inner-src "${POOL_IPV4%.*}.250" --inner-dst $CN_IPV4 --wait 1)" nothing

answer=$(pbu --seq 2 --handoff 5 --prefix "$hnp" --ipv4 "$home" --alternate-ipv4-coa $MAG1_IPV4 --user-plane)
equal "status" "$(jq .status <<<"$answer")" 0
equal "our end of the tunnel" "$(jq -r .user_plane <<<"$answer")" $LMA_IPV4
equal "the binding's gateway" "$(binding .proxy_coa)" $MAG1_IPV4
equal "IPv6 in IPv6 now" "$(echo_through --inner-src "${hnp%::*}::1" --inner-dst $CN --wait 1)" nothing
scapy_mag mag1 $MAG1_IPV4 $LMA_IPV4
equal "IPv4 in IPv4" "$(echo_through --inner-src "${home%/*}" --inner-dst $CN_IPV4)" answered
equal "IPv6 in IPv4" "$(echo_through --inner-src "${hnp%::*}::1" --inner-dst $CN)" answered
scapy_mag mag1 $MAG1 $LMA
answer=$(pbu --seq 3 --handoff 5 --prefix "$hnp" --ipv4 "$home" --user-plane)
equal "our end of the tunnel without it" "$(jq -r .user_plane <<<"$answer")" $LMA

expect "IPv6 alone is given back" test "$(pbu --seq 4 --handoff 5 --prefix "" --ipv4 "$home" --lifetime 0 | jq .status)" = 0
equal "IPv4 afterwards" "$(binding .ipv4)" null
equal "IPv6 afterwards" "$(echo_through --inner-src "${hnp%::*}::1" --inner-dst $CN)" answered
