#!/bin/bash
# A node of Mobile IPv4, its messages made by scapy: it is refused what it may not, registers, sends and receives in IPv4 in IPv4, moves,
# finds its home agent by a broadcast to its home network, and ends its registration.
# proves: MIP4-3.8.2.1-1, MIP4-3.8.2.1-2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
mip4_config

lab_up
visit4
anchord_start
silent() { equal "code of a request that is not to be answered" "$(rrq "${CARE_OF_IPV4[0]}" --wait 0.5 "$@" | jq .code)" null; }

silent --nai nobody@example.org
silent --spi 257 --key "$RUN/other.key" --nai nobody@example.org
answered 131 "${CARE_OF_IPV4[0]}" --corrupt
equal "an Identification that is copied" "$(jq '.id == .sent' <<<"$reply")" true
answered 133 "${CARE_OF_IPV4[0]}" --age 3600
equal "our time, instead of the node's" "$(jq '.id[:8] > .sent[:8]' <<<"$reply")" true
answered 129 "${CARE_OF_IPV4[0]}" --home 198.51.100.8
expect "nobody is registered" no_binding
expect "cn does not reach the node" unreached4

answered 136 "${CARE_OF_IPV4[0]}" --agent "${POOL_IPV4%.*}.255"
equal "whom it is to ask" "$(jq -r '.home_agent + " " + .from' <<<"$reply")" "$LMA_IPV4 $LMA_IPV4"

tunnel4_from "${CARE_OF_IPV4[0]}"
answered 1 "${CARE_OF_IPV4[0]}"
equal "home address, lifetime, NAI" "$(jq -c '[.home, .lifetime, .nai]' <<<"$reply")" "[\"$HOME_IPV4\",60,\"$MN_ID\"]"
expect "the node reaches cn" reaches4
expect "cn reaches the node" reached4
equal "the binding" "$(mip4_binding 'map("\(.ipv4) \(.proxy_coa) \(.encapsulation) \(.flags)") | join(",")')" \
    "$HOME_IPV4 ${CARE_OF_IPV4[0]} ip DT"
at_least "packets that it counts" "$(mip4_binding '.[0].counters | map(.uplink_packets + .downlink_packets) | add')" 4

tunnel4_from "${CARE_OF_IPV4[1]}"
in_ns mn ping -c 1 -W 0.3 -I $HOME_IPV4 $CN_IPV4 && fail "a packet from another care-of address came through"
equal "packets in its name from elsewhere" "$(drops reverse_tunnel)" 1
answered 1 "${CARE_OF_IPV4[1]}" --lifetime 3600
equal "lifetime, which is at most ours" "$(jq .lifetime <<<"$reply")" 1800
expect "it has moved" care_ofs_are "${CARE_OF_IPV4[1]}"
expect "the node reaches cn after the move" reaches4
expect "cn reaches the node after the move" reached4

answered 1 "${CARE_OF_IPV4[1]}" --lifetime 0
expect "no registration is left" no_binding
expect "nobody reaches it any more" unreached4
equal "received, denied" "$(counter mip4_received) $(counter mip4_denied)" "9 4"
