# shellcheck shell=bash
# A node of Mobile IPv4 away from home, on the transit link: what the tests of that home agent share. Sourced after _init.sh.

LAB_IPV4=true
HOME_IPV4=198.51.100.7 # in the pool
CARE_OF_IPV4=(192.0.2.51 192.0.2.52)
NETWORK=2001:db8:9000::/56 # may move with the node
NODE_IPV6=2001:db8:9000::1

# anchord is a home agent of Mobile IPv4, mn1 one of its nodes. More of the section by MIP4, of the node's keys by MIP4_NODE, further
# lines by MIP4_NODES.
mip4_config() {
    key "$RUN/mn1.key" 7a
    key "$RUN/other.key" 7b
    echo "$MN_ID,,,,,$HOME_IPV4,,,,,$NETWORK,,${MIP4_NODE:-256:mn1.key}
${MIP4_NODES:-}" >"$RUN/nodes.csv"
    POLICY='nodes_file = "nodes.csv"'
    ANCHORD_MORE="[mip4]
timestamp_window = '20s'
${MIP4:-}"
}

# The node is on the transit link, with all its care-of addresses.
visit4() {
    in_ns switch ip link set mn-eth0 master transit up
    in_ns mn ip link set eth0 up
    local care_of
    for care_of in "${CARE_OF_IPV4[@]}"; do address mn eth0 "$care_of/24"; done
    in_ns mn ip route add $POOL_IPV4 via $LMA_IPV4
}

rrq() { # rrq care-of [argument of rrq.py ...]: the reply as JSON
    in_ns mn tests/lab/rrq.py --care-of "$1" --agent $LMA_IPV4 --home $HOME_IPV4 --nai "$MN_ID" --key "$RUN/mn1.key" "${@:2}"
}

# What comes back is authentic, answers what was sent, and has this code; it is in $reply.
answered() { # answered code care-of [argument ...]
    reply=$(rrq "${@:2}")
    equal "code, authentic, the request's Identification" \
        "$(jq -c '[.code, .authentic, .id[8:] == .sent[8:]]' <<<"$reply")" "[$1,true,true]"
}

# The node's end of its tunnel, from now on at this care-of address.
tunnel4_from() { # tunnel4_from care-of [argument of mip4_tunnel.py ...]
    tunnel_start mip4_tunnel.py --home $HOME_IPV4 --care-of "$1" --agent $LMA_IPV4 "${@:2}"
}

mip4_binding() { # mip4_binding jq-expression
    ctl binding show --counters --mn-id "$MN_ID" | jq -r "[.[] | select(.kind == \"mip4\")] | $1"
}
care_ofs_are() { [[ $(mip4_binding 'map(.proxy_coa) | join(" ")') == "$1" ]]; } # care_ofs_are "care-of ..."
reaches4() { in_ns mn ping -c 1 -W 1 -I "$HOME_IPV4" "$CN_IPV4" >&2; }
reached4() { in_ns cn ping -c 1 -W 1 "$HOME_IPV4" >&2; } # by the correspondent
unreached4() { ! reached4; }
reached6() { in_ns cn ping -c 1 -W 1 "$NODE_IPV6" >&2; }
