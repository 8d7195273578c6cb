#!/bin/bash
# A home link at a port: an address that a neighbour has is refused (134); another is asked for once, then defended while its node is away, so that
# neighbours on the link reach the node through its tunnel, but not its link-local address; when it leaves, it is defended no more.
# proves: MIP6-8.4-2, MIP6-10.4.1-1, MIP6-10.4.2-1, MIP6-10.4.2-3
# workers: 1 2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_home.sh
HOME_ADDRESS=2001:db8:c::77
HOME_NODES="mn2@example.org,,,,,,,,,$CN_LINK,,none"
HOME_AGENT="[[home_agent.link]]
prefix = '2001:db8:c::/64'
port = 'core'"
home_agent_config

lab_up
visit eth0
anchord_start
capture core cn eth0
answer=$(in_ns mn tests/lab/bu.py --home $CN_LINK --agent $LMA --care-of "${CARE_OF[0]}" --mn-id mn2@example.org)
equal "status of a neighbour's address" "$(jq .status <<<"$answer")" 134
tunnel_from "${CARE_OF[0]}"
registers "${CARE_OF[0]}" 1 --link-local
expect "a neighbour reaches the node" reached
answer=$(in_ns cn ping -c 1 -W 2 fe80::77%eth0) && fail "the link-local address of a node that is away is reached"
equal "what a neighbour is told of it" "$(grep -o "From.*unreachable" <<<"$answer")" "From $ANCHOR_CORE icmp_seq=1 Destination unreachable: Address unreachable"
equal "packets to it that were discarded" "$(counter home_link_local_discarded)" 1
expect "the node reaches cn" reaches
registers "${CARE_OF[0]}" 2 --lifetime 0
in_ns cn ip -6 neigh flush dev eth0
expect "nobody reaches it any more" unreached
captured core
equal "errors about packets to its link-local address" "$(count_frames core "icmpv6.type == 1 && icmpv6.code == 3 && ipv6.src == $ANCHOR_CORE && ipv6.dst == fe80::77")" 1
equal "probes for it from no address" "$(count_frames core "icmpv6.type == 135 && ipv6.src == :: && icmpv6.nd.ns.target_address == $HOME_ADDRESS")" 1
at_least "advertisements that override" "$(count_frames core "icmpv6.nd.na.target_address == $HOME_ADDRESS && icmpv6.nd.na.flag.o == 1 && icmpv6.nd.na.flag.r == 0")" 2
