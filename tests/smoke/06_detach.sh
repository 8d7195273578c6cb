#!/bin/bash
# The node leaves: during the delete delay its packets are dropped, after it the prefix is nobody's and
# a correspondent is told so.
# workers: 1 2
# proves: PMIP6-5.3.5-2, PMIP6-5.3.5-3, PMIP6-5.3.5-5, PMIP6-5.3.5-7
DELETE_DELAY=4s
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
attach 1a
node=$(node_address)
expect "cn reaches the node" in_ns cn ping -c 1 -W 2 -I $CN "$node"
capture access anchor access-dpdk
capture cn cn eth0 icmp6
detach 1a
eventually "the binding waits for its deletion" binding_is deleting
in_ns cn ping -c 3 -i 0.2 -W 0.2 -I $CN "$node" && fail "the node answered after it had left"
equal "dropped because the binding is held" "$(drops held)" 3
eventually "the binding is gone" no_binding
in_ns cn ping -c 2 -i 1.1 -W 1 -I $CN "$node" && fail "the node answered after it was deleted"
equal "dropped because nobody holds the address" "$(drops unassigned)" 2
captured access
captured cn
equal "answers to the de-registration" "$(count_frames access 'mip6.ba.status == 0')" 1
equal "tunnel packets after it" "$(count_frames access 'ipv6.nxt == 41')" 0
at_least "unreachables at cn" "$(count_frames cn "icmpv6.type == 1 && ipv6.src == $ANCHOR_CORE")" 1
equal "prefixes in use" "$(ctl pool show | jq '.[0].used')" 0
