#!/bin/bash
# A gateway without IPv6: signaling in UDP over IPv4, the node's packets in IPv4, and in UDP where the
# gateway forces it.
# proves: PMIP4-4.1.3.1-3, PMIP4-4.1.3.1-4, PMIP4-4.1.3.1-6, PMIP4-4.1.3.2-4
. "$(dirname "$0")/_init.sh"
LAB_IPV4=yes

lab_up
anchord_start
scapy_mag mag1 $MAG1_IPV4 $LMA_IPV4

answer=$(pbu --ipv4 0.0.0.0/0)
equal "status" "$(jq .status <<<"$answer")" 0
home=$(binding .ipv4) hnp=$(binding '.hnp[0]')
equal "the binding's gateway" "$(binding .proxy_coa)" $MAG1_IPV4
equal "encapsulation" "$(binding .encapsulation)" ip
equal "IPv4 in IPv4" "$(echo_through --inner-src "$home" --inner-dst $CN_IPV4)" answered
equal "IPv6 in IPv4" "$(echo_through --inner-src "${hnp%::*}::1" --inner-dst $CN)" answered

answer=$(pbu --seq 2 --handoff 5 --prefix "$hnp" --ipv4 "$home/24" --force-udp)
equal "status with forced UDP" "$(jq .status <<<"$answer")" 0
equal "encapsulation" "$(binding '"\(.encapsulation):\(.udp_port)"')" udp:5437
equal "IPv4 in UDP" "$(echo_through --encap udp --inner-src "$home" --inner-dst $CN_IPV4)" answered
equal "IPv6 in UDP" "$(echo_through --encap udp --inner-src "${hnp%::*}::1" --inner-dst $CN)" answered
equal "without UDP" "$(echo_through --inner-src "$home" --inner-dst $CN_IPV4 --wait 1)" nothing
