#!/bin/bash
# anchor-mn against a home agent that scapy plays: it registers, sends and receives by its tunnel, moves, follows status
# 135, comes home and ends its binding. The home agent finds no fault with any message, and the node's kernel keeps quiet
# about routing headers that it does not know.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mobile.sh
CORRESPONDENT=2001:db8:f::1 # beyond the router: only the home agent answers for it

heard() { jq -c "select($1)" "$RUN/ha.log" 2>/dev/null; } # heard jq-condition: what the home agent says of it
was_heard() { [[ -n $(heard "$1") ]]; }

mobile_up
address router lo $HA/128
# The router's kernel knows no Home Address option, and shall not say so.
in_ns router ip -6 rule add ipproto ipv6-icmp dport 1026 blackhole
start ha router tests/lab/home_agent.py $HA $CORRESPONDENT --refuse 135
eventually "the home agent listens" was_heard '.what == "ready"'

visit 1
mn_start 'lifetime = "16s"'
eventually "the node is registered" mn_is .binding.care_of $COA1
equal "the first update's answer" "$(heard '.what == "update"' | head -1 | jq .status)" 135
equal "the second one's number" "$(heard '.what == "update"' | sed -n 2p | jq .seq)" 4712
expect "an answer by the tunnel, without choosing an address" in_ns mn ping -c 3 -i 0.2 -W 2 $CORRESPONDENT
equal "echoes by the tunnel" \
    "$(heard '.what == "echo" and .home == "'$HOME_ADDRESS'" and .care_of == "'$COA1'"' | wc -l)" 3
expect "the visited link is reached without the tunnel" in_ns mn ping -c 1 -W 2 2001:db8:1::1

visit 2
eventually "the node is registered at the second link" mn_is .binding.care_of $COA2
expect "an answer by the new tunnel" in_ns mn ping -c 3 -i 0.2 -W 2 $CORRESPONDENT
equal "echoes by it" "$(heard '.what == "echo" and .care_of == "'$COA2'"' | wc -l)" 3
eventually "the binding is refreshed before its 16 s are over" mn_counted refreshed 1

come_home
eventually "the binding is gone" mn_is .binding.care_of null
equal "where the node is" "$(mn .binding.at)" home
at_least "de-registrations by the home address, without an option" \
    "$(heard '.what == "update" and .lifetime == 0 and .care_of == "'$HOME_ADDRESS'" and .option == false' | wc -l)" 1
eventually "the link is told whose the home address is" was_heard \
    '.what == "advertised" and .target == "'$HOME_ADDRESS'" and .override == 1 and .solicited == 0'
expect "the router reaches the home address on the home link" in_ns router ping -c 2 -W 2 $HOME_ADDRESS
expect "no tunnel's rules are left" test -z "$(in_ns mn ip -6 rule show pref 6276)"

visit 1
eventually "the node is registered again" mn_is .binding.care_of $COA1
expect "an answer by the tunnel" in_ns mn ping -c 1 -W 2 $CORRESPONDENT
stop mn || fail "anchor-mn ended with status $?"
eventually "it ended its binding" was_heard '.what == "update" and .lifetime == 0 and .care_of == "'$COA1'"'
equal "faults that the home agent found" "$(heard '(.wrong // []) | length > 0')" ""
equal "rules that are left" "$(in_ns mn ip -6 rule | grep -c '^62')" 0
