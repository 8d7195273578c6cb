# shellcheck shell=bash
# anchord inside the guest drives PCI NICs by DPDK's own drivers, through vfio-pci and an emulated IOMMU; its
# peers are on this machine. Sourced by the cases that need it.
#
#   guest                                      switch (host)
#     anchor (namespace): anchord
#       access port: a NIC ------------------- its tap --- transit --- mag2 (host): gateways
#       core port: a NIC --------------------- its tap --- beyond ---- far (host): correspondents
#
# What crosses it is made and looked at by tests/vm/nodes.py.

PATIENCE=60 # everything is in the emulated machine
NODES=16
TIMES=4 # packets of each node, each way

in_guest() { guest "ip netns exec $*"; } # in_guest namespace command ...
ctl() { guest "anchorctl --socket $RUN/anchord.sock --json $*"; }
put() { # put file: what stands on standard input
    guest "mkdir -p $RUN && echo $(base64 -w 0) | base64 -d >$1"
}

# Two NICs of ours become anchord's ports: those at 0000:00:10.0 and after.
nic_lab() { # nic_lab first-nic
    local n bridge=transit
    for n in "$1" $(($1 + 1)); do
        guest "cd /sys/bus/pci/devices/0000:00:1$n.0 && if test -e driver; then basename \$(readlink driver);
            echo 0000:00:1$n.0 >driver/unbind; fi; echo vfio-pci >driver_override &&
            echo 0000:00:1$n.0 >/sys/bus/pci/drivers_probe && test -e /sys/bus/pci/drivers/vfio-pci/0000:00:1$n.0"
        peers_by "nic$n" $bridge
        bridge=beyond
    done
    ACCESS_DEVICE="pci = '0000:00:1$1.0'" CORE_DEVICE="pci = '0000:00:1$(($1 + 1)).0'"
}

# The ports are DPDK's taps, whose other ends the guest's kernel bridges to the host: its classifier carries out
# their flow rules.
tap_lab() {
    ACCESS_DEVICE="vdev = 'net_tap0,iface=access-tap'" CORE_DEVICE="vdev = 'net_tap1,iface=core-tap'"
    peers_by guest1 transit
    peers_by guest2 beyond
}

tap_bridges() {
    local side n=1
    for side in access core; do
        # The tap has its port's address: a bridge would take frames to that as its own.
        guest "ip link set eth$n netns anchor name $side-side && ip -n anchor link set $side-tap address 02:00:00:00:d0:0$n &&
            ip -n anchor link add $side-bridge type bridge && for d in $side-side $side-tap $side-bridge; do
                ip netns exec anchor sysctl -qw net.ipv6.conf.\$d.disable_ipv6=1; done &&
            for d in $side-side $side-tap; do ip -n anchor link set \$d master $side-bridge up; done &&
            ip -n anchor link set $side-bridge up"
        n=2
    done
}

# A tap of the guest is the way to one side's peers.
peers_by() { # peers_by tap transit|beyond
    if [[ $2 == beyond ]]; then
        ip netns add "$LAB-far"
        in_ns far sysctl -qw net.ipv6.conf.{all,default}.{accept_ra,accept_dad}=0
        in_ns far ip link set lo up
        link far eth0 switch far0
        bridge beyond far0
        address far eth0 $CN_LINK/64
        address far lo $CN/128
        address far eth0 $CN_LINK_IPV4/25
        address far lo $CN_IPV4/32
        in_ns far ip -6 route add default via $ANCHOR_CORE
        in_ns far ip route add default via $ANCHOR_CORE_IPV4
    fi
    in_ns switch ip link set "$1" master "$2"
    taps+=("$1")
}

# With frames of this length everywhere.
mtu_is() { # mtu_is bytes
    local at
    PORT_MTU=$1 TUNNEL_MTU=$1
    for at in "mag2 transit" "switch mag2t" "far eth0" "switch far0"; do
        # shellcheck disable=SC2086 # two words
        set -- $at
        in_ns "$1" ip link set "$2" mtu "$PORT_MTU"
    done
}

nic_start() {
    LAB_HUGEPAGES=true MEMORY_MIB=112 MBUF_COUNT=4095 PORT_DESC=256 anchord_config | put "$RUN/anchord.toml"
    guest "ip netns add anchor && ip -n anchor link set lo up && mkdir -p $RUN/state &&
        ip netns exec anchor sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0"
    guest "ip netns exec anchor anchord --config $RUN/anchord.toml >$RUN/anchord.log 2>&1 &"
    eventually "anchord's control core answers" ctl port show
    ctl port show >"$RUN/ports"
    [[ $ACCESS_DEVICE != *tap* ]] || tap_bridges
    eventually "its TAPs are up" in_guest anchor ip -6 route get $CN_LINK
    in_guest anchor ip -6 route replace default via $CN_LINK dev core
    in_guest anchor ip route replace default via $CN_LINK_IPV4 dev core
    in_ns mag2 ip -6 neighbour flush all # other cases' anchors had these addresses
    in_ns mag2 ip neighbour flush all
    in_ns far ip -6 neighbour flush all
    in_ns far ip neighbour flush all
}

# Sessions at mag2; what they have is in $RUN/sessions.
sessions() { # sessions anchor gateway [option of anchor-mag load ...]
    eventually "the gateway reaches the anchor" in_ns mag2 ping -c 1 -W 1 -I "$2" "$1"
    in_ns mag2 "$BIN/anchor-mag" load --lma "$1" --first-mag "$2" --mags 1 --nodes $NODES --window 4 \
        --reply-timeout 10000 --phases register "${@:3}" >"$RUN/load" || fail "not registered: $(<"$RUN/load")"
    ctl binding show | jq --arg mag "$2" 'map(select(.mag == $mag))' >"$RUN/sessions"
    equal "sessions" "$(jq length "$RUN/sessions")" $NODES
    ends=(--anchor "$1" --gateway "$2")
}

port() { jq -r --arg name "$1" ".[] | select(.name == \$name) | $2" "$RUN/ports"; } # port core .steering

# All packets of all nodes arrive as they were sent; $RUN/workers has what each worker did meanwhile.
cross() { # cross up|down bytes [option of nodes.py ...]
    ctl worker show >"$RUN/before"
    /usr/bin/python3 tests/vm/nodes.py --way "$1" --bytes "$2" --times $TIMES --lab "$LAB" --sessions "$RUN/sessions" \
        "${ends[@]}" --correspondents $CN $CN_LINK "${@:3}" || fail "packets $1"
    ctl worker show | jq -s 'transpose | map({rx: (.[0].rx_packets - .[1].rx_packets),
        handed_off: (.[0].handed_off - .[1].handed_off), drops: (.[0].drops - .[1].drops)})' - "$RUN/before" >"$RUN/workers"
    echo "$1 $2: $(jq -c . "$RUN/workers")"
}

# Frames that workers gave to the control core: Mobility Headers, and what is the kernel's.
punted() { ctl worker show | jq 'map(.punted) | add'; }
handed_off() { jq 'map(.handed_off) | add' "$RUN/workers"; }

case_logs() { guest "tail -n 60 $RUN/*.log" || true; }

case_down() {
    local tap
    guest 'for p in $(ip netns pids anchor); do kill -9 $p; done; sleep 1; ip -n anchor link set access-side netns 1 name eth1;
        ip -n anchor link set core-side netns 1 name eth2; ip netns del anchor' || true # not all was there
    guest "rm -rf $RUN"
    for tap in "${taps[@]}"; do
        in_ns switch ip link set "$tap" nomaster
        [[ $tap != guest* ]] || in_ns switch ip link set "$tap" master transit
    done
    in_ns switch ip link del beyond
    ip netns del "$LAB-far"
}
