# shellcheck shell=bash
# The lab: network namespaces of this run and the links between them. Sourced.
#
#   mn, mn2        switch                mag1, mag2          switch          anchor             cn
#             +- cell1a --- access0 [mag1] transit -+
#   eth0 -----+- cell1b --- access1 [mag1]          |
#   eth1       \            (anchor-mag)            +- transit - access-dpdk  core-dpdk --- eth0
#              +- cell2a -- access0 [mag2] transit -+          (anchord's ports)
#              +- cell2b -- access1 [mag2]
#
# The cells and `transit` are bridges in `switch`. A node moves when its port is put into another
# cell: `plug 2a`, and later the old gateway notices: `vacate 1a`. An access link has one node (RFC 5213 6.3), hence the second one for `mn2`. The
# kernel has no addresses on the two veths that anchord's ports drive; it has them on anchord's
# TAPs, `access` and `core`.

LAB=${LAB:-lab$$}
export LAB
lab_namespaces=(mn mn2 mag1 mag2 anchor cn switch)
lab_gateways=(1 2)

# Addresses, from the documentation prefixes.
LMA=2001:db8:a::1          # anchord, where tunnels end
MAG1=2001:db8:a::11        # Proxy-CoA of mag1
MAG2=2001:db8:a::12        # Proxy-CoA of mag2
MAG3=2001:db8:a::13        # Proxy-CoA of mag3, where a test has it
ANCHOR_CORE=2001:db8:c::1  # anchord, towards the correspondents
CN_LINK=2001:db8:c::2      # cn, on that link
CN=2001:db8:f::1           # cn, behind a default route
POOL=2001:db8:100::/40     # home network prefixes, a /64 each
# The same of IPv4.
LMA_IPV4=192.0.2.1
MAG1_IPV4=192.0.2.11
MAG2_IPV4=192.0.2.12
MAG3_IPV4=192.0.2.13
ANCHOR_CORE_IPV4=203.0.113.1
CN_LINK_IPV4=203.0.113.2
CN_IPV4=203.0.113.129
POOL_IPV4=198.51.100.0/24  # home addresses

in_ns() { # in_ns mn command ...
    local ns=$1
    shift
    ip netns exec "$LAB-$ns" "$@"
}

# A veth without offloads: with them the kernel hands over frames without checksums, and frames
# longer than the MTU.
link() { # link ns1 if1 ns2 if2 [mac of if1]
    ip link add "$2" netns "$LAB-$1" ${5:+address "$5"} type veth peer name "$4" netns "$LAB-$3"
    local end
    for end in "$1 $2" "$3 $4"; do
        # shellcheck disable=SC2086 # two words
        set -- $end
        in_ns "$1" ethtool -K "$2" rx off tx off sg off tso off gso off gro off >/dev/null
        in_ns "$1" ip link set "$2" up
    done
}

address() { # address ns interface address/length
    local nodad=()
    [[ $3 != *:* ]] || nodad=(nodad)
    in_ns "$1" ip address add "$3" dev "$2" "${nodad[@]}"
}

bridge() { # bridge name port ...
    in_ns switch ip link add "$1" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    in_ns switch ip link set "$1" up
    local port
    for port in "${@:2}"; do in_ns switch ip link set "$port" master "$1"; done
}

# An access gateway with its two cells.
gateway() { # gateway 1
    local cell ipv6=MAG$1 ipv4=MAG$1_IPV4
    # It routes nothing itself, anchor-mag does.
    in_ns "mag$1" sysctl -qw net.ipv6.conf.{all,default}.{accept_ra,accept_dad,forwarding}=0
    # RFC 6543: every gateway has the same link-layer address on its access links.
    link "mag$1" access0 switch "mag$1a" 00:00:5e:00:52:13
    link "mag$1" access1 switch "mag$1b" 00:00:5e:00:52:13
    link "mag$1" transit switch "mag$1t" "02:00:00:00:a0:1$1"
    in_ns switch ip link set "mag$1t" master transit
    for cell in "$1a" "$1b"; do
        bridge "cell$cell" "mag$cell"
        vacate "$cell"
    done
    address "mag$1" transit "${!ipv6}/64"
    address "mag$1" transit "${!ipv4}/24"
}

lab_up() {
    local ns m
    for ns in "${lab_namespaces[@]}"; do
        ip netns add "$LAB-$ns"
        in_ns "$ns" ip link set lo up
    done
    in_ns switch sysctl -qw net.ipv6.conf.{all,default}.disable_ipv6=1
    in_ns cn sysctl -qw net.ipv6.conf.{all,default}.{accept_ra,accept_dad}=0
    bridge transit
    for m in "${lab_gateways[@]}"; do gateway "$m"; done
    in_ns anchor sysctl -qw net.ipv6.conf.{all,default}.accept_dad=0
    in_ns anchor sysctl -qw net.ipv6.conf.default.disable_ipv6=1 # the veths; TAPs come later
    link anchor access-dpdk switch anchor0 02:00:00:00:a0:01
    link anchor core-dpdk cn eth0 02:00:00:00:a0:02
    in_ns anchor sysctl -qw net.ipv6.conf.default.disable_ipv6=0
    # The kernel is to take nothing from the veths, of IPv4 neither: its routes lead to the TAPs.
    for m in access-dpdk core-dpdk; do
        in_ns anchor sysctl -qw net/ipv4/conf/$m/rp_filter=1 net/ipv4/conf/$m/arp_ignore=1
    done
    link mn eth0 switch mn-eth0 02:00:00:00:01:01
    link mn eth1 switch mn-eth1 02:00:00:00:01:02
    link mn2 eth0 switch mn2-eth0 02:00:00:00:02:01
    for m in mn-eth0 mn-eth1 mn2-eth0; do in_ns switch ip link set $m down; done
    in_ns switch ip link set anchor0 master transit
    address cn eth0 $CN_LINK/64
    address cn lo $CN/128
    in_ns cn ip -6 route add default via $ANCHOR_CORE
    address cn eth0 $CN_LINK_IPV4/25
    address cn lo $CN_IPV4/32
    in_ns cn ip route add default via $ANCHOR_CORE_IPV4
    wires_captured
}

# Ends what runs in the namespaces, by id, then removes them with all that is in them.
lab_down() {
    local ns signal
    for signal in TERM KILL; do
        for ns in "${lab_namespaces[@]}"; do
            ip netns pids "$LAB-$ns" 2>/dev/null | xargs -r kill "-$signal" 2>/dev/null || true
        done
        poll 50 lab_is_idle && break
    done
    for ns in "${lab_namespaces[@]}"; do
        [[ ! -e /run/netns/$LAB-$ns ]] || ip netns del "$LAB-$ns"
    done
}

lab_is_idle() {
    local ns
    for ns in "${lab_namespaces[@]}"; do
        [[ -z $(ip netns pids "$LAB-$ns" 2>/dev/null) ]] || return 1
    done
}

# Asks `tries` times, a tenth of a second apart.
poll() { # poll tries command ...
    local tries=$1
    shift
    while ! "$@" &>/dev/null; do
        ((--tries > 0)) || return 1
        sleep 0.1
    done
}

# Puts a node's interface into a cell, or takes it out of all. The node sees its link go down and up;
# the gateway of the cell sees its link up.
plug() { # plug 1a [mn] [eth0]
    local port=${2:-mn}-${3:-eth0}
    unplug "${2:-mn}" "${3:-eth0}"
    in_ns switch ip link set "mag$1" up
    in_ns switch ip link set "$port" master "cell$1" up
}

unplug() { # unplug [mn] [eth0]
    in_ns switch ip link set "${1:-mn}-${2:-eth0}" nomaster down
}

# The gateway notices that nobody is in its cell any more: its link loses the carrier.
vacate() { # vacate 1a
    in_ns switch ip link set "mag$1" down
}

# mag1 behind a router, on a link of its own; MAG1 has to be of that link: 2001:db8:b::11. Called
# between lab_up and anchord_start; when anchord's TAPs are up, route_to_mag1 leads there. The same for IPv4 if
# MAG1_IPV4 is not of the transit link.
#
#   anchor --- transit --- router --- behind --- mag1
router_before_mag1() { # router_before_mag1 mtu-of-its-link-to-mag1
    link router to-anchor switch routera
    link router to-mag switch routerm
    in_ns switch ip link set routera master transit
    bridge behind routerm mag1t
    in_ns router sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.{to-anchor,to-mag}.accept_dad=0
    address router to-anchor 2001:db8:a::fe/64
    address router to-mag 2001:db8:b::fe/64
    in_ns router ip link set to-mag mtu "$1"
    in_ns mag1 ip link set transit mtu "$1"
    in_ns mag1 ip -6 route add default via 2001:db8:b::fe
    if mag1_ipv4_is_behind; then
        in_ns router sysctl -qw net.ipv4.ip_forward=1
        address router to-anchor "${LMA_IPV4%.*}.254/24"
        address router to-mag "${MAG1_IPV4%.*}.254/24"
        in_ns mag1 ip route add default via "${MAG1_IPV4%.*}.254"
    fi
}

mag1_ipv4_is_behind() { [[ $MAG1_IPV4 != "${LMA_IPV4%.*}".* ]]; }

route_to_mag1() {
    in_ns anchor ip -6 route add 2001:db8:b::/64 via 2001:db8:a::fe dev access
    ! mag1_ipv4_is_behind ||
        in_ns anchor ip route add "${MAG1_IPV4%.*}.0/24" via "${LMA_IPV4%.*}.254" dev access
}
