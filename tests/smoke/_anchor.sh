# shellcheck shell=bash disable=SC2034
# anchord, the gateways and the node in the lab. Sourced by _init.sh.

# --- anchord

# The configuration; a test changes what it needs by variables before it calls anchord_start.
anchord_config() {
    cat <<END
[node]
name = "anchor"
lma_address = "$LMA"

[eal]
file_prefix = "$LAB"
hugepages = $LAB_HUGEPAGES
memory_mib = 192
mbuf_count = 16383
extra = ["--in-memory", "--log-level=lib.eal:warning"]

[[port]]
name = "access"
role = "access"
vdev = "net_af_packet0,iface=access-dpdk"
addresses = ["$LMA/64"]

[[port]]
name = "core"
role = "core"
vdev = "net_af_packet1,iface=core-dpdk"
addresses = ["$ANCHOR_CORE/64"]

[worker]
cpus = [$(seq -s, "$WORKERS" | sed 's/[0-9]\+/0/g')]
polling = "adaptive"
idle_sleep_max = "1ms"
ring_len = 1024

[control]
cpu = 0

[[pool]]
name = "home"
prefix = "$POOL"
delegated_len = 64

[[mag]]
name = "mag1"
address = "$MAG1"
tunnel_mtu = ${TUNNEL_MTU:-1500}

[[mag]]
name = "mag2"
address = "$MAG2"
tunnel_mtu = ${TUNNEL_MTU:-1500}

[policy.default]
max_lifetime = "${MAX_LIFETIME:-1h}"

[timer]
min_delay_before_bce_delete = "${DELETE_DELAY:-2s}"
max_delay_before_new_bce_assign = "1500ms"
timestamp_validity_window = "2s"

[admin]
socket = "$RUN/anchord.sock"

[log]
filter = "${ANCHORD_LOG:-info}"

[state]
dir = "$RUN/state"
END
}

anchord_start() {
    anchord_config >"$RUN/anchord.toml"
    mkdir -p "$RUN/state"
    start anchord anchor "$BIN/anchord" --config "$RUN/anchord.toml"
    eventually "anchord answers on its socket" ctl version
    eventually "anchord's TAPs are up" in_ns anchor ip -6 route get $CN_LINK
    in_ns anchor ip -6 route replace default via $CN_LINK dev core
}

ctl() { # ctl noun verb [argument ...]: as JSON
    "$BIN/anchorctl" --socket "$RUN/anchord.sock" --json "$@"
}

# One value out of a binding of the node, for instance: binding .proxy_coa
binding() { # binding jq-expression [mn_id]
    ctl binding show --mn-id "${2:-$MN_ID}" | jq -r ".[0] | $1"
}

drops() { # drops reason: how many frames were dropped for it
    ctl drop show | jq --arg r "$1" '[.[] | select(.reason == $r) | .packets] | add // 0'
}

stat() { # stat name: a counter of the control plane
    ctl stats show | jq --arg n "$1" '[.[] | select(.name == $n) | .value] | add // 0'
}

no_binding() { # no_binding [mn_id]
    [[ $(ctl binding show --mn-id "${1:-$MN_ID}" | jq length) == 0 ]]
}

binding_is() { # binding_is active|deleting [mn_id]
    [[ $(binding .state "${2:-$MN_ID}") == "$1" ]]
}

binding_is_at() { # binding_is_at proxy-coa [mn_id]
    [[ $(binding '"\(.state) \(.proxy_coa)"' "${2:-$MN_ID}") == "active $1" ]]
}

# --- the node: an unmodified host

# Sends router solicitations until an advertisement comes, as a host does that changed its link
# (the kernel itself does so only when the interface comes up for the first time).
solicit() { # solicit [mn] [eth0]
    in_ns "${1:-mn}" rdisc6 -1 -q -r 30 -w 500 "${2:-eth0}" >>"$RUN/${1:-mn}.log" 2>&1 ||
        fail "${1:-mn} got no router advertisement on ${2:-eth0}"
}

node_address() { # node_address [mn] [eth0]
    in_ns "${1:-mn}" ip -j -6 address show dev "${2:-eth0}" scope global |
        jq -r '[.[0].addr_info[] | select(.tentative | not) | .local] | first // empty'
}

has_address() { [[ -n $(node_address "$@") ]]; }

# Plugs, solicits, waits until the node is bound and has its address.
attach() { # attach 1a [mn] [eth0]
    plug "$@"
    solicit "${@:2}"
    eventually "${2:-mn} has an address" has_address "${@:2}"
}

# The node reaches the correspondent and is reached by it.
reaches() { # reaches [mn]
    in_ns "${1:-mn}" ping -c 1 -W 1 "$CN"
}

# One stream in each direction; what was lost and so on is in $RUN/stream.json.
stream_start() { # stream_start seconds [packets a second]
    [[ -n ${daemon[reflector]:-} ]] || start reflector cn "$BIN/lab-stream" reflect --listen "[$CN]:5213"
    start stream mn "$BIN/lab-stream" run --to "[$CN]:5213" --from "[$(node_address)]:0" \
        --seconds "$1" --rate "${2:-100}"
}

stream_end() {
    wait "${daemon[stream]}" || fail "the stream did not end well"
    unset "daemon[stream]"
    tail -1 "$RUN/stream.log" >"$RUN/stream.json"
}

stream() { # stream uplink|downlink lost|received|sent ...
    jq ".$1.$2" "$RUN/stream.json"
}
