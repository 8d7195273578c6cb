#!/bin/bash
# While a node's stream runs, the configuration is changed and reloaded: another node, pool, customer and
# gateway are of use at once, a pool that goes leaves its session what it has, and the stream loses nothing.
# workers: 1 2
. "$(dirname "$0")/_init.sh"

MAG3=2001:db8:a::13
SECOND=2001:db8:7000::/40
# Only nodes of the file are served.
eval "lab_$(declare -f anchord_config)"
anchord_config() {
    lab_anchord_config | sed -e '/^\[policy.default\]/,/^$/d' -e 's|^max_bindings = 10_000|&\nnodes_file = "nodes"|'
}
pbu() { in_ns mag1 tests/lab/pbu.py --dst $LMA "$@"; }
status() { pbu "$@" | jq .status; }

echo "$MN_ID" >"$RUN/nodes"
lab_up
address mag1 transit $MAG3/64
anchord_start
mag_start 1
attach 1a
home=$(binding '.hnp[0]')
equal "status of an unknown node" "$(status --src $MAG1 --mn-id mn9@example.org)" 153
equal "status of an unknown gateway" "$(status --src $MAG3 --mn-id $MN_ID)" 154
expect "no difference yet" test "$(ctl config diff)" = '{"changes":[],"nodes":{"added":0,"changed":0,"removed":0}}'
stream_start 8

# The session's pool goes.
POOL=$SECOND
ANCHORD_MORE=$(cat <<END
[[customer]]
name = "acme"
id = 3
realms = ["acme.example"]

[[pool]]
name = "acme"
customer = "acme"
prefix = "$SECOND"

[[mag]]
name = "mag3"
address = "$MAG3"
END
)
anchord_config >"$RUN/anchord.toml"
printf '%s\n' "$MN_ID" mn9@example.org mn9@acme.example >"$RUN/nodes"
ctl config diff >"$RUN/diff.json"
keys='["customer[acme]","mag[mag3]","pool[acme]","pool[home].prefix"]'
equal "what a reload would change" "$(jq -c '[.changes[].key]' "$RUN/diff.json")" "$keys"
equal "nodes added" "$(jq .nodes.added "$RUN/diff.json")" 2
equal "status before the reload" "$(status --src $MAG3 --mn-id mn9@example.org)" 154
equal "what a reload changed" "$(ctl config reload)" "$(cat "$RUN/diff.json")"

own=$(pbu --src $MAG3 --mn-id mn9@example.org)
acme=$(pbu --src $MAG3 --mn-id mn9@acme.example)
equal "statuses" "$(jq .status <<<"$own") $(jq .status <<<"$acme")" "0 0"
expect "the new prefix is of the new pool" in_prefix "$(binding '.hnp[0]' mn9@example.org | sed 's|/.*||')" $SECOND
equal "the customer" "$(binding .customer mn9@acme.example)" acme
equal "the same prefix, of the customer" "$(binding '.hnp[0]' mn9@acme.example)" "$(binding '.hnp[0]' mn9@example.org)"
capture new switch any "ip6 dst $MAG3 and ip6 proto 41"
in_ns cn ping -c 3 -i 0.2 -W 1 "$(binding '.hnp[0]' mn9@example.org | sed 's|::/64|::1|')" >/dev/null || true
captured new
at_least "packets in the tunnel to the new gateway" "$(count_frames new icmpv6.type==128)" 3

stream_end
equal "lost" "$(stream uplink lost) $(stream downlink lost)" "0 0"
equal "the node's prefix" "$(binding '.hnp[0]')" "$home"
expect "the node reaches cn" reaches
equal "reloads" "$(counter config_reloaded) $(counter config_refused)" "1 0"
expect "the file says what is in force" test "$(ctl config diff | jq '.changes | length')" = 0
