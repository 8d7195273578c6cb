# shellcheck shell=bash
# A mobile node away from home, on the transit link: what the tests of the home agent share. Sourced after _init.sh.

HOME_ADDRESS=2001:db8:100:7::7 # in the pool
CARE_OF=(2001:db8:a::51 2001:db8:a::52)
SPI=256

# anchord is a home agent, mn1 one of its nodes: what anchord_config puts in. Further fields and lines by HOME_NODES.
home_agent_config() {
    key "$RUN/mn1.key" 7a
    echo "$MN_ID,,,,,,,,,$HOME_ADDRESS,${MOBILE_NETWORKS:-},$SPI:mn1.key
${HOME_NODES:-}" >"$RUN/nodes.csv"
    POLICY='nodes_file = "nodes.csv"'
    ANCHORD_MORE="[home_agent]
max_bindings = 1000
delete_delay = '1s'
${HOME_AGENT:-}"
}

# The node is on the transit link, with all its care-of addresses.
visit() { # visit eth0
    in_ns switch ip link set "mn-$1" master transit up
    in_ns mn ip link set "$1" up
    local care_of
    for care_of in "${CARE_OF[@]}"; do address mn "$1" "$care_of/64"; done
}

bu() { # bu care-of seq [argument of bu.py ...]: the answer as JSON
    in_ns mn tests/lab/bu.py --home $HOME_ADDRESS --agent $LMA --care-of "$1" --seq "$2" \
        --spi $SPI --key "$RUN/mn1.key" --mn-id "$MN_ID" "${@:3}"
}

registers() { # registers care-of seq [argument ...]
    local answer
    answer=$(bu "$@")
    equal "status" "$(jq .status <<<"$answer")" 0
    equal "home address in the routing header" "$(jq -r .home <<<"$answer")" $HOME_ADDRESS
    equal "sequence number" "$(jq .seq <<<"$answer")" "$2"
}

# The node's end of its tunnel, from now on at this care-of address.
tunnel_from() { # tunnel_from care-of [argument of home_tunnel.py ...]
    tunnel_start home_tunnel.py --home $HOME_ADDRESS --care-of "$1" --agent $LMA "${@:2}"
}

home_binding() { # home_binding jq-expression
    ctl binding show --counters --mn-id "$MN_ID" | jq -r "[.[] | select(.kind == \"home\")][0] | $1"
}

away_at() { [[ $(home_binding '"\(.state) \(.proxy_coa)"') == "active $1" ]]; } # away_at care-of
reached() { in_ns cn ping -c 1 -W 1 "$HOME_ADDRESS" >&2; } # by the correspondent
unreached() { ! reached; }
