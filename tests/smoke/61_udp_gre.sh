#!/bin/bash
# GRE with keys behind the TLV-header in UDP over IPv4 (the T flag, RFC 5845 section 7): with a gateway made by
# scapy, then with anchor-mag, over a handoff. Only GRE with the session's key and an honest length gets through.
# proves: GREKEY-7.1-1, GREKEY-7.1-2, GREKEY-7.3-3
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any MAG_LMA=$LMA_IPV4 MAG_FORCE_UDP=true MAG_GRE=keys

pbu() { in_ns mag1 tests/lab/pbu.py --src $MAG1_IPV4 --dst $LMA_IPV4 --mn-id mn3@example.org "$@"; }
echo_through() { in_ns mag1 tests/lab/echo.py --src $MAG1_IPV4 --dst $LMA_IPV4 --encap udp-gre --downlink-key 77 "$@"; }
# Ethernet, IPv4 and UDP take 42 bytes; then type and next header of the TLV-header.
tlv_frames() { count_frames access "udp.port == 5437 && frame[42:2] == 00:2f && ip.$1 == $2"; } # src|dst address

lab_up
anchord_start
answer=$(pbu --ipv4 0.0.0.0/0 --gre-key 77 --force-udp --tlv)
equal "status" "$(jq .status <<<"$answer")" 0
key=$(jq .gre_key <<<"$answer") home=$(binding .ipv4 mn3@example.org) hnp=$(binding '.hnp[0]' mn3@example.org)
equal "encapsulation" "$(binding '"\(.encapsulation):\(.udp_port)"' mn3@example.org)" udp-gre:5437
from_node=(--inner-src "$home" --inner-dst "$CN_IPV4")
equal "IPv4" "$(echo_through --uplink-key "$key" "${from_node[@]}")" answered
equal "IPv6" "$(echo_through --uplink-key "$key" --inner-src "${hnp%::*}::1" --inner-dst $CN)" answered
equal "another key" "$(echo_through --uplink-key $((key + 1)) --wait 1 "${from_node[@]}")" nothing
before=$(drops tlv_header)
equal "a length that is not the packet's" "$(echo_through --uplink-key "$key" --longer 1 --wait 1 "${from_node[@]}")" nothing
equal "packets dropped for it" $(($(drops tlv_header) - before)) 1

mag_start 1
mag_start 2
capture access anchor access-dpdk
attach 1a
lease mn
expect "cn answers by IPv4" in_ns mn ping -c 5 -i 0.2 -W 2 -s 1000 $CN_IPV4
expect "cn answers by IPv6" in_ns mn ping -c 5 -i 0.2 -W 2 -s 1000 $CN
expect "the node answers cn" in_ns cn ping -c 3 -i 0.2 -W 2 -I $CN "$(node_address)"
handoff 1a 2a $MAG2_IPV4
expect "cn answers by IPv4 after the handoff" in_ns mn ping -c 3 -i 0.2 -W 2 $CN_IPV4
captured access
at_least "packets up behind the TLV-header" "$(tlv_frames src $MAG1_IPV4)" 13
at_least "packets down behind the TLV-header" "$(tlv_frames dst $MAG1_IPV4)" 13
at_least "the same at mag2" "$(tlv_frames src $MAG2_IPV4)" 3
equal "tunnel packets in another form" \
    "$(count_frames access "ip.proto == 47 || ip.proto == 4 || ip.proto == 41 || (udp.port == 5437 && !(frame[42:2] == 00:2f))")" 0
