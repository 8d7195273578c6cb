#!/bin/bash
# The lifetimes of a home link's prefix change by a reload while a node is away. anchor-mn is told so without having asked, by an
# advertisement with a type 2 routing header to its care-of address; it asks, is answered, and hears no more. A node that scapy plays never
# answers: it is told again after 3, 6 and 12 s, and then no more.
# proves: MIP6-10.3.1-36, MIP6-6.8-1, MIP6-6.8-2, MIP6-10.6.2-5, MIP6-10.6.2-6
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mobile.sh
lab_namespaces=(mn mn2 mag1 mag2 anchor cn switch)
HA=$LMA HOME_ADDRESS=2001:db8:900::9 PATIENCE=40

POLICY='nodes_file = "nodes"'
echo "mn1@example.org, yes, , , , , , , , $HOME_ADDRESS, , 256:mn.key" >"$RUN/nodes"
key "$RUN/mn.key" 5e

home_link() { # home_link [lifetimes]
    ANCHORD_MORE="[home_agent]
delete_delay = \"1s\"
refresh_requests = false
[[home_agent.link]]
prefix = \"2001:db8:900::/64\"
${1:-}"
    anchord_config >"$RUN/anchord.toml"
}

# They are preferred for less than the shortest time until nodes are told at leisure: told at once.
lifetimes() { # lifetimes valid preferred
    home_link "valid_lifetime = \"$1\"
preferred_lifetime = \"$2\""
    ctl config reload >"$RUN/changes.json"
}
told() { echo "$(counter prefix_advertisement_unsolicited) $(counter prefix_advertisement_solicited)"; }
# Not what the kernel of a node without Mobile IPv6 says of a routing header.
advertisement='icmpv6.type == 147 && ipv6.routing.type == 2 && !(icmpv6.type == 4)'

home_link
lab_up
routers_up
anchord_start
routes_to_routers
visit_router 1
mn_start 'mn_id = "mn1@example.org"' "[authentication]
spi = 256
key_file = \"mn.key\""
eventually "the node is registered" mn_is .binding.care_of $COA1
equal "advertisements so far" "$(told)" "0 0"
pending() { ctl binding show --mn-id "$MN_ID" | jq ".[0].advertisement.$1"; }
at_least "seconds until it is told at leisure" "$(pending due_s)" 500

capture access anchor access-dpdk
lifetimes 500s 300s
equal "what a reload changed" "$(jq -c '[.changes[] | .key, .restart]' "$RUN/changes.json")" \
    '["home_agent.link[2001:db8:900::/64].preferred_lifetime",false,"home_agent.link[2001:db8:900::/64].valid_lifetime",false]'
eventually "the node knows the prefix's lifetime" mn_is '.binding.home_prefixes[0].valid_s != null' true
equal "what it believed" "$(mn '"\(.counters.advertisement_unsolicited) \(.counters.prefixes_learnt)"')" "1 1"
equal "its binding ends with the prefix" "$(ctl binding show --mn-id "$MN_ID" | jq '.[0].lifetime_left_s <= 500')" true
sleep 4
equal "advertisements after its question" "$(told)" "1 1"
captured access
equal "where advertisements go" "$(frames access "$advertisement" ipv6.dst | sort -u)" $COA1
equal "advertisements and questions on the wire" \
    "$(count_frames access "$advertisement") $(count_frames access 'icmpv6.type == 146')" "2 1"
equal "valid lifetimes told" "$(frames access "$advertisement" icmpv6.opt.prefix.valid_lifetime | awk '$1 > 490 && $1 <= 500' | wc -l)" 2

stop mn || fail "anchor-mn ended with status $?"
eventually "nothing is left of its registration" no_binding
status=$(in_ns mn tests/lab/bu.py --home $HOME_ADDRESS --agent $LMA --care-of $COA1 --seq 1 --spi 256 --key "$RUN/mn.key" \
    --mn-id "$MN_ID" --lifetime 400 | jq .status)
at_least "status of the registration" "${status/null/-1}" 0
capture silent anchor access-dpdk
lifetimes 450s 250s
eventually "it was told for the last time" counted prefix_advertisement_unanswered 1
equal "how often it has not answered" "$(pending unanswered)" 4
sleep 5
captured silent
equal "advertisements to who never asks" "$(told)" "5 1"
equal "seconds between them" \
    "$(frames silent "$advertisement" frame.time_relative | awk 'NR > 1 { printf "%.0f ", $1 - last } { last = $1 }')" "3 6 12 "
