#!/bin/bash
# A node has a home network prefix and an IPv4 home address over one IPv6 tunnel, and both are forwarded
# both ways. The gateway is made by scapy.
. "$(dirname "$0")/_init.sh"
LAB_IPV4=yes

lab_up
anchord_start
pbu() { in_ns mag1 tests/lab/pbu.py --src $MAG1 --dst $LMA --mn-id "$MN_ID" "$@"; }
echo_through() { in_ns mag1 tests/lab/echo.py --src $MAG1 --dst $LMA "$@"; }

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

expect "IPv6 alone is given back" test "$(pbu --seq 2 --handoff 5 --prefix "" --ipv4 "$home" --lifetime 0 | jq .status)" = 0
equal "IPv4 afterwards" "$(binding .ipv4)" null
equal "IPv6 afterwards" "$(echo_through --inner-src "${hnp%::*}::1" --inner-dst $CN)" answered
