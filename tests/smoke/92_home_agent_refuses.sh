#!/bin/bash
# What a home agent refuses: another key, an old time, no authentication at all, another node's home address, prefixes that are no
# network of the node's. A mobile router with its own is reached behind its tunnel.
# workers: 1 2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_home.sh
MOBILE_NETWORKS=2001:db8:9000::/56
HOME_NODES='mn2@example.org,,,,,,,,,2001:db8:100:8::8,,esp'
HOME_AGENT="replay_window = '7s'"
home_agent_config
key "$RUN/other.key" 7b
status() { bu "${CARE_OF[0]}" "$@" | jq .status; } # status seq [argument ...]

lab_up
visit eth0
anchord_start
equal "status with another key" "$(status 1 --key "$RUN/other.key")" 146
equal "status with an old time" "$(status 1 --age 60)" 144
equal "answer without authentication" "$(in_ns mn tests/lab/bu.py --home $HOME_ADDRESS --agent $LMA --care-of "${CARE_OF[0]}" --wait 1 | jq .status)" null
equal "answer to a node that needs ESP" "$(status 1 --home 2001:db8:100:8::8 --mn-id mn2@example.org --wait 1)" null
equal "status of another node's home address" "$(status 1 --home 2001:db8:100:8::8)" 133
equal "bindings" "$(ctl binding show | jq length)" 0
expect "nobody reaches it" unreached

equal "status of a network that is another's" "$(status 2 --mobile-network 2001:db8:9001::/64)" 142
answer=$(bu "${CARE_OF[0]}" 3 --mobile-network 2001:db8:9000::/56)
equal "status of its own network" "$(jq -c '[.status, .router]' <<<"$answer")" '[0,true]'
tunnel_from "${CARE_OF[0]}" --network 2001:db8:9000::/56
address mn lo 2001:db8:9000::5/128
expect "cn reaches what is behind the mobile router" in_ns cn ping -c 1 -W 1 2001:db8:9000::5
equal "networks of the binding" "$(home_binding '.hnp | join(" ")')" 2001:db8:9000::/56
