#!/bin/bash
# A node of Mobile IPv4 with two care-of addresses at a time: each packet goes to both, the node sends from either, a third one is
# denied, and what ends the one leaves the other.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
CARE_OF_IPV4+=(192.0.2.53)
MIP4='simultaneous_bindings = 2'
mip4_config
first=${CARE_OF_IPV4[0]} second=${CARE_OF_IPV4[1]}

lab_up
visit4
anchord_start
answered 0 "$first" --flags SDT
answered 0 "$second" --flags SDT
answered 135 "${CARE_OF_IPV4[2]}" --flags SDT
expect "it has two" care_ofs_are "$first $second"
# Else the node's kernel says of the tunnel that is not up that there is no such protocol, and cn is told.
start sink mn /usr/bin/python3 -c 'import socket
with socket.socket(socket.AF_INET, socket.SOCK_RAW, 4) as s:
    while s.recv(2048): pass'
capture access anchor access-dpdk
tunnel4_from "$first"
expect "cn reaches the node" reached4
expect "the node reaches cn" reaches4
tunnel4_from "$second"
expect "cn reaches the node at the second one" reached4
expect "the node reaches cn from there" reaches4
captured access
for care_of in "$first" "$second"; do
    equal "echo requests to $care_of" \
        "$(count_frames access "ip.src == $LMA_IPV4 && ip.dst == $care_of && ip.dst == $HOME_IPV4 && icmp.type == 8")" 2
done
at_least "copies" "$(counter worker_copies)" 4
answered 0 "$first" --lifetime 0
expect "one is left" care_ofs_are "$second"
expect "cn reaches the node there" reached4
