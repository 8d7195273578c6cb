#!/bin/bash
# [home_agent] and [mip4] are read again while the stream of a mobile node runs: limits change, a home link comes and is of use at once,
# another goes and its node's registration ends; the stream loses nothing. What takes a restart is named, and stays as it runs.
# workers: 1 2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
. tests/smoke/_mobile.sh
lab_namespaces=(mn mn2 mag1 mag2 anchor cn switch)
HA=$LMA HOME_ADDRESS=2001:db8:900::9 OTHER=2001:db8:901::9 NEW=2001:db8:902::9
NODE4=mn4@example.org

POLICY='nodes_file = "nodes.csv"'
key "$RUN/mn.key" 5e
key "$RUN/mn1.key" 7a
nodes() { # nodes home-address-of-mn2
    cat >"$RUN/nodes.csv" <<END
mn1@example.org,,,,,,,,,$HOME_ADDRESS,,256:mn.key
mn2@example.org,,,,,,,,,$1,,256:mn.key
$NODE4,,,,,$HOME_IPV4,,,,,,,256:mn1.key
END
}
sections() { # sections lifetime-of-mip6 lifetime-of-mip4 second-link [more of home_agent]
    ANCHORD_MORE="[home_agent]
delete_delay = \"1s\"
max_lifetime = \"$1\"
${4:-}
[[home_agent.link]]
prefix = \"$3\"
[[home_agent.link]]
prefix = \"2001:db8:900::/64\"
[mip4]
timestamp_window = '20s'
max_lifetime = \"$2\""
}
update() { # update home-address seq: its answer
    in_ns mag2 tests/lab/bu.py --home "$1" --agent $LMA --care-of $MAG2 --interface transit --seq "$2" --spi 256 --key "$RUN/mn.key" \
        --mn-id mn2@example.org --lifetime 3000
}
request() { # seconds granted by Mobile IPv4
    in_ns mag2 tests/lab/rrq.py --care-of $MAG2_IPV4 --agent $LMA_IPV4 --home $HOME_IPV4 --nai $NODE4 --key "$RUN/mn1.key" --lifetime 3000 |
        jq .lifetime
}
granted() { jq -c '[.status, .lifetime]' <<<"$1"; }
state_of() { ctl binding show --mn-id "$1" | jq -r '[.[].home_address] | join(" ")'; }
has_ended() { [[ -z $(state_of mn2@example.org) ]]; }
node_address() { echo $HOME_ADDRESS; }

nodes $OTHER
sections 1000s 1000s 2001:db8:901::/64
lab_up
routers_up
anchord_start
routes_to_routers
visit_router 1
mn_start 'mn_id = "mn1@example.org"' "[authentication]
spi = 256
key_file = \"mn.key\""
eventually "the node is registered" mn_is .binding.care_of $COA1
equal "another node at the second link" "$(granted "$(update $OTHER 1)")" "[0,1000]"
equal "one of Mobile IPv4" "$(request)" 1000
expect "cn reaches the node" in_ns cn ping -c 1 -W 2 $HOME_ADDRESS
stream_start 8

nodes $NEW
sections 600s 700s 2001:db8:902::/64 'max_bindings = 7'
anchord_config >"$RUN/anchord.toml"
ctl config reload >"$RUN/changes.json"
equal "what takes a restart" "$(jq -c '[.changes[] | select(.restart) | .key]' "$RUN/changes.json")" '["home_agent.max_bindings"]'
equal "what does not" "$(jq -c '[.changes[] | select(.restart | not) | .key]' "$RUN/changes.json")" \
    '["home_agent.link[2001:db8:901::/64]","home_agent.link[2001:db8:902::/64]","home_agent.max_lifetime","mip4.max_lifetime"]'
eventually "the registration at the link that is gone has ended" has_ended
equal "registrations that ended so" "$(counter home_prefix_gone)" 1
equal "status at the link that is gone" "$(update $OTHER 2 | jq .status)" 132
equal "the new link is of use" "$(granted "$(update $NEW 3)")" "[0,600]"
equal "lifetime of Mobile IPv4" "$(request)" 700
equal "the node is where it was" "$(state_of mn1@example.org)" "$HOME_ADDRESS"

stream_end
equal "lost" "$(stream uplink lost) $(stream downlink lost)" "0 0"
equal "advertisements: the node's own link did not change" "$(counter prefix_advertisement_unsolicited)" 1
equal "reloads" "$(counter config_reloaded) $(counter config_refused)" "1 0"
stop mn || fail "anchor-mn ended with status $?"
