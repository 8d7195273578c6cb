# shellcheck shell=bash
# anchord, the gateways and the node in the lab. Sourced by _init.sh.

# --- anchord

# The configuration; a test changes what it needs by variables before it calls anchord_start.
# shellcheck disable=SC2154 # lab_gateways: _lab.sh, or the test
anchord_config() {
    cat <<END
[node]
name = "anchor"
lma_address = "$LMA"
$(with_ipv4 "lma_address_ipv4 = \"$LMA_IPV4\"" 'accept_forced_udp = true')
fixed_link_local = ${FIXED_LINK_LOCAL:-false}
dhcp = "${DHCP_MODE:-server}"

[eal]
file_prefix = "$LAB"
hugepages = $LAB_HUGEPAGES
memory_mib = ${MEMORY_MIB:-192}
mbuf_count = ${MBUF_COUNT:-16383}
extra = ["--log-level=lib.eal:warning"]

[[port]]
name = "access"
role = "access"
${ACCESS_DEVICE:-vdev = 'net_af_packet0,iface=access-dpdk,qpairs=$WORKERS,qdisc_bypass=0${ACCESS_VDEV:+,$ACCESS_VDEV}'}
mtu = ${PORT_MTU:-1500}
rx_desc = ${PORT_DESC:-1024}
tx_desc = ${PORT_DESC:-1024}
addresses = ["$LMA/64"$(with_ipv4 ", \"$LMA_IPV4/24\"")]

[[port]]
name = "core"
role = "core"
${CORE_DEVICE:-vdev = 'net_af_packet1,iface=core-dpdk,qpairs=$WORKERS,qdisc_bypass=0'}
mtu = ${PORT_MTU:-1500}
rx_desc = ${PORT_DESC:-1024}
tx_desc = ${PORT_DESC:-1024}
addresses = ["$ANCHOR_CORE/64"$(with_ipv4 ", \"$ANCHOR_CORE_IPV4/25\"")]

[worker]
cpus = [$(seq -s, "$WORKERS" | sed "s/[0-9]\+/$LAB_CPU/g")]
polling = "adaptive"
idle_sleep_max = "1ms"
ring_len = ${RING_LEN:-1024}

[control]
cpu = $LAB_CPU

[[pool]]
name = "home"
prefix = "$POOL"
delegated_len = 64

$(with_ipv4 '[[pool]]' 'name = "home-ipv4"' "prefix = \"$POOL_IPV4\"")

$(for m in "${lab_gateways[@]}"; do anchord_gateway "$m"; done)

[policy]
max_bindings = ${MAX_BINDINGS:-10_000}
${POLICY:-}

[policy.default]
max_lifetime = "${MAX_LIFETIME:-1h}"

[timer]
min_delay_before_bce_delete = "${DELETE_DELAY:-2s}"
max_delay_before_new_bce_assign = "${NEW_BCE_DELAY:-1500ms}"
timestamp_validity_window = "${TIMESTAMP_WINDOW:-2s}"
heartbeat_interval = "${HEARTBEAT_INTERVAL:-1min}"
missing_heartbeats_allowed = ${HEARTBEATS_MISSING:-3}

[admin]
socket = "$RUN/anchord.sock"

[log]
filter = "${ANCHORD_LOG:-info}"

[state]
dir = "$RUN/state"

${ANCHORD_MORE:-}
END
}

anchord_gateway() { # anchord_gateway 1
    local address=MAG$1
    cat <<END
[[mag]]
name = "mag$1"
address = "${!address}"
$(more_addresses "$1")
tunnel_mtu = ${TUNNEL_MTU:-1500}
revocation = ${REVOCATION:-false}
heartbeat = ${HEARTBEAT:-true}
${MAG_KEYS:-}

END
}

# These lines if the test wants IPv4.
with_ipv4() { # with_ipv4 line ...
    [[ -z ${LAB_IPV4:-} ]] || printf '%s\n' "$@"
}

# The addresses of a gateway besides its Proxy-CoA: of IPv4, and of its user plane if the test has one.
more_addresses() { # more_addresses 1
    local ipv4=MAG$1_IPV4 user=MAG$1_USER_PLANE
    [[ -n ${LAB_IPV4:-} ]] || ipv4=none
    printf 'more_addresses = [%s]\n' "$(printf '"%s"\n' "${!ipv4:-}" "${!user:-}" | grep -v '""' | paste -sd,)"
}

# Writes a key of the RFC's 16 bytes.
key() { # key file byte
    (umask 077 && printf "$2%.0s" {1..16} >"$1")
}

anchord_start() {
    anchord_config >"$RUN/anchord.toml"
    mkdir -p "$RUN/state"
    start anchord anchor "$BIN/anchord" --config "$RUN/anchord.toml"
    eventually "anchord's control core answers" ctl port show
    eventually "anchord's TAPs are up" in_ns anchor ip -6 route get $CN_LINK
    in_ns anchor ip -6 route replace default via $CN_LINK dev core
    [[ -z ${LAB_IPV4:-} ]] || in_ns anchor ip route replace default via $CN_LINK_IPV4 dev core
}

ctl() { # ctl noun verb [argument ...]: as JSON
    "$BIN/anchorctl" --socket "$RUN/anchord.sock" --json "$@"
}

# One value out of a binding of the node, for instance: binding .proxy_coa
binding() { # binding jq-expression [mn_id]
    ctl binding show --counters --mn-id "${2:-$MN_ID}" | jq -r ".[0] | $1"
}

drops() { # drops reason: how many frames were dropped for it
    ctl drop show | jq --arg r "$1" '[.[] | select(.reason == $r) | .packets] | add // 0'
}

counter() { # counter name: a counter of the control plane
    ctl stats show | jq --arg n "$1" '[.[] | select(.name == $n) | .value] | add // 0'
}

counted() { (($(counter "$1") >= $2)); } # counted name times
sessions_are() { [[ $(ctl binding show | jq length) == "$1" ]]; } # sessions_are number

# The first answer in a capture came so many milliseconds after the first update.
waited_ms() { # waited_ms capture at-least at-most
    frames "$1" 'mipv6' frame.time_epoch mip6.mhtype | awk -v least="$2" -v most="$3" '
        $2 == 5 && !asked { asked = $1 }
        $2 == 6 && !answered { answered = $1 }
        END { ms = (answered - asked) * 1000; exit !(answered && ms >= least && ms <= most) }'
}

# The MTU of the tunnels to mag1, as the anchor knows it.
tunnel_mtu_is() { # tunnel_mtu_is 1400 [address]
    [[ $(ctl mag show | jq --arg a "${2:-$MAG1}" '.[] | select(.address == $a) | .tunnel_mtu') == "$1" ]]
}

# What the correspondent's kernel has learnt of a path.
knows_mtu() { # knows_mtu 4|6 destination source mtu
    in_ns cn ip "-$1" route get "$2" from "$3" | grep -q "mtu $4"
}

# Downlink packets go out to this gateway now.
traffic_at() { # traffic_at proxy-coa
    in_ns anchor timeout 2 tcpdump -c 20 -i access-dpdk "ip6 dst $1 and ip6 proto 41"
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

# --- the gateways

mag_config() { # mag_config 1
    local user=MAG$1_USER_PLANE ipv6=MAG$1 ipv4=MAG$1_IPV4
    cat <<END
[node]
name = "mag$1"
proxy_coa = "${!ipv6}"
ipv4_proxy_coa = "${!ipv4}"
lma_address = "${MAG_LMA:-$LMA}"
${!user:+user_plane_address = '${!user}'}

[binding]
ipv4 = "${MAG_IPV4:-off}"
gre = "${MAG_GRE:-off}"
force_udp = ${MAG_FORCE_UDP:-false}
lifetime = "${MAG_LIFETIME:-1h}"
handoff = "${MAG_HANDOFF:-unknown}"

[tunnel]
interface = "mag-tun"
local_routing = ${MAG_LOCAL_ROUTING:-false}

[[access]]
interface = "access0"
${MAG_MAC:+mac = '$MAG_MAC'}

[[access]]
interface = "access1"
${MAG_MAC:+mac = '$MAG_MAC'}

[[mobile_node]]
mn_id = "$MN_ID"
mac = "02:00:00:00:01:01"
att = 4

[[mobile_node]]
mn_id = "$MN_ID"
mac = "02:00:00:00:01:02"
att = 5

[[mobile_node]]
mn_id = "$MN2_ID"
mac = "02:00:00:00:02:01"
att = 4

[control]
socket = "$RUN/mag$1.sock"

[state]
file = "$RUN/mag$1.json"

${MAG_KEY:+[authentication]
spi = 256
key_file = '$MAG_KEY'}

${MAG_HEARTBEAT:+[heartbeat]
interval = '$MAG_HEARTBEAT'
missing_allowed = 2}

${MAG_DHCP:+[dhcp]
$MAG_DHCP}

[log]
filter = "${MAG_LOG:-info}"
END
}

mag_start() { # mag_start 1
    mag_config "$1" >"$RUN/mag$1.toml"
    start "mag$1" "mag$1" "$BIN/anchor-mag" run --config "$RUN/mag$1.toml"
    eventually "mag$1 answers on its socket" mag "$1" show
}

mag() { # mag 1 show|attach|detach|retry ...
    "$BIN/anchor-mag" "$2" --socket "$RUN/mag$1.sock" "${@:3}"
}

# A gateway made by scapy in the namespace of one of ours. After it, a test's pbu and echo_through are this
# gateway's, unless the test has its own.
scapy_mag() { # scapy_mag mag1 address-of-its-own the-anchor's
    scapy_ns=$1 scapy_ends=(--src "$2" --dst "$3")
}

pbu() { in_ns "$scapy_ns" tests/lab/pbu.py "${scapy_ends[@]}" --mn-id "$MN_ID" "$@"; }
echo_through() { in_ns "$scapy_ns" tests/lab/echo.py "${scapy_ends[@]}" "$@"; }

# --- the node: an unmodified host

solicit() { # solicit [mn] [eth0]
    in_ns "${1:-mn}" tests/lab/solicit.py "${2:-eth0}" ||
        fail "${1:-mn} got no router advertisement on ${2:-eth0}"
}

node_address() { # node_address [mn] [eth0]
    in_ns "${1:-mn}" ip -j -6 address show dev "${2:-eth0}" scope global |
        jq -r '[.[0].addr_info[] | select(.tentative | not) | .local] | first // empty'
}

has_address() { [[ -n $(node_address "$@") ]]; }

in_prefix() { # in_prefix address prefix
    /usr/bin/python3 -c 'import ipaddress as i, sys
sys.exit(i.ip_address(sys.argv[1]) not in i.ip_network(sys.argv[2]))' "$@"
}

# Plugs, solicits, waits until the node is bound and has its address.
attach() { # attach 1a [mn] [eth0]
    plug "$@"
    solicit "${@:2}"
    eventually "${2:-mn} has an address" has_address "${@:2}"
}

# The node asks for an IPv4 address by DHCP, and takes what it is told.
lease() { # lease [mn] [eth0]
    command -v busybox >/dev/null || skip "no busybox: its DHCP client is the node's"
    in_ns "${1:-mn}" busybox udhcpc -i "${2:-eth0}" -n -q -t 20 -T 1 -s "$PWD/tests/lab/udhcpc" ||
        fail "${1:-mn} got no lease on ${2:-eth0}"
}

# The node asks for an IPv6 address by DHCPv6, or gives it back with -r. What it has is in $RUN/lease.
dhcpv6() { # dhcpv6 [-r]
    command -v dhclient >/dev/null || skip "no dhclient: it is the node's DHCPv6 client"
    in_ns mn timeout 15 dhclient -6 -1 -lf "$RUN/lease" -pf "$RUN/dhclient.pid" -cf /dev/null \
        -sf "$PWD/tests/lab/dhclient" "$@" eth0 &>>"$RUN/dhclient.log" || fail "no lease by DHCPv6"
    [[ ! -e $RUN/dhclient.pid ]] || kill "$(<"$RUN/dhclient.pid")" 2>/dev/null || true
}

dhcpv6_address() {
    in_ns mn ip -j -6 address show dev eth0 | jq -r '[.[0].addr_info[] | select(.prefixlen == 128) | .local] | first // empty'
}

node_ipv4() { # node_ipv4 [mn] [eth0]
    in_ns "${1:-mn}" ip -j -4 address show dev "${2:-eth0}" | jq -r '.[0].addr_info[0].local // empty'
}

# The node moves to another cell, whose gateway registers it; the old one notices it later.
handoff() { # handoff from to proxy-coa
    plug "$2"
    solicit
    eventually "the binding is at $3" binding_is_at "$3"
    vacate "$1"
}

# The node leaves, and its gateway notices.
detach() { # detach 1a [mn] [eth0]
    unplug "${@:2}"
    vacate "$1"
}

# The node's end of a tunnel of its own, instead of the one before.
tunnel_start() { # tunnel_start program-of-tests/lab argument ...
    [[ -z ${daemon[tunnel]:-} ]] || stop tunnel || true
    start tunnel mn "tests/lab/$1" "${@:2}"
    eventually "the node's tunnel is up" grep -q ready "$RUN/tunnel.log"
    : >"$RUN/tunnel.log"
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
