# shellcheck shell=bash
# A node of Mobile IPv6 whose data plane is Linux's: its updates get their Home Address option and the acknowledgements
# are taken out of their type 2 routing header by the kernel; its tunnel to anchord is ip6_tunnel's. It registers, has traffic both
# ways, moves, and ends its binding. Only its updates are made by scapy.
# proves: MIP6-6.1.1-4, MIP6-6.4.1-1, MIP6-8.4-3, MIP6-8.4-4, MIP6-9.5.4-12, MIP6-10.3.1-35
# shellcheck source=tests/smoke/_home.sh
. tests/smoke/_home.sh
# shellcheck source=tests/vm/_mip6.sh
. tests/vm/_mip6.sh

case_down() {
    guest "ip -n node xfrm policy flush; ip -n node xfrm state flush; ip -n node link del tunnel;
        ip -n node address flush dev lo scope global; ip -n node link set visited netns 1 name eth2" || true # not all was there
}
tunnel_packets() { guest ip -n node -s -j link show tunnel | jq ".[0].stats64.$1.packets"; } # tunnel_packets rx|tx

at() { # at care-of: what the kernel of the node does from now on
    guest "ip -n node xfrm state flush; ip -n node link del tunnel; true"
    mip6_states node $LMA "$1"
    guest "ip -n node link add tunnel type ip6tnl mode any local $1 remote $LMA encaplimit none &&
        ip -n node link set tunnel up && ip -n node -6 route replace default dev tunnel src $HOME_ADDRESS metric 1"
}

registers_by_kernel() { # registers_by_kernel care-of seq [argument of bu.py ...]
    equal "status" "$(exchange node "$(update_of "$@" --spi $SPI --key "$RUN/mn1.key")")" 0
}

# The same packets on the wire, at the node's kernel and at the correspondent.
traffic() { # traffic care-of
    local packets=$((2 * PINGS)) counts up="ipv6.src == $1 && ipv6.dst == $LMA" down="ipv6.src == $LMA && ipv6.dst == $1"
    counts=("$(tunnel_packets tx)" "$(tunnel_packets rx)")
    capture tunnel anchor access-dpdk
    capture cn cn eth0 "icmp6 and host $HOME_ADDRESS"
    in_node ping -c $PINGS -i 0.2 -s $PING_BYTES $CN || fail "cn does not answer the node"
    expect "the node answers cn" in_ns cn ping -c $PINGS -i 0.2 -W 2 -s $PING_BYTES -I $CN $HOME_ADDRESS
    captured tunnel
    captured cn
    equal "packets of the node in the tunnel from $1" "$(count_frames tunnel "$up && ipv6.nxt == 41 && ipv6.src == $HOME_ADDRESS")" $packets
    equal "packets to the node in the tunnel to $1" "$(count_frames tunnel "$down && ipv6.nxt == 41 && ipv6.dst == $HOME_ADDRESS")" $packets
    equal "packets at cn" "$(count_frames cn "ipv6.src == $HOME_ADDRESS") $(count_frames cn "ipv6.dst == $HOME_ADDRESS")" "$packets $packets"
    at_least "the node's kernel's count up" $(($(tunnel_packets tx) - counts[0])) $packets
    at_least "the node's kernel's count down" $(($(tunnel_packets rx) - counts[1])) $packets
}

home_agent_config
guest "ip link set eth2 netns node name visited && ip netns exec node sysctl -qw net.ipv6.conf.visited.accept_dad=0 &&
    ip -n node link set lo up && ip -n node link set visited up && ip -n node address add $HOME_ADDRESS/128 dev lo home nodad &&
    ip -n node address add ${CARE_OF[0]}/64 dev visited nodad && ip -n node address add ${CARE_OF[1]}/64 dev visited nodad"
mip6_policies node $LMA proto 135
anchord_start
capture access anchor access-dpdk
at "${CARE_OF[0]}"
registers_by_kernel "${CARE_OF[0]}" 1
expect "it is away" away_at "${CARE_OF[0]}"
traffic "${CARE_OF[0]}"
node=$HOME_ADDRESS
tcp_both_ways

at "${CARE_OF[1]}"
registers_by_kernel "${CARE_OF[1]}" 2
expect "it has moved" away_at "${CARE_OF[1]}"
traffic "${CARE_OF[1]}"
equal "status of an old number" "$(exchange node "$(update_of "${CARE_OF[1]}" 2 --spi $SPI --key "$RUN/mn1.key")")" 135
registers_by_kernel "${CARE_OF[1]}" 3 --lifetime 0
eventually "no binding is left" no_binding
captured access
for n in 0 1; do
    coa=${CARE_OF[n]}
    at_least "updates from $coa with a Home Address option" \
        "$(count_frames access "mip6.mhtype == 5 && ipv6.src == $coa && ipv6.opt.type == 0xc9")" 1
    at_least "acknowledgements to $coa with a type 2 routing header" \
        "$(count_frames access "mip6.mhtype == 6 && ipv6.dst == $coa && ipv6.routing.type == 2")" 1
done
equal "messages without" "$(count_frames access 'mipv6 && !(ipv6.opt.type == 0xc9) && !(ipv6.routing.type == 2)')" 0
