# shellcheck shell=bash
# Mobile IPv6 in the lab: a node that anchor-mn plays, two visited links, its home link, and what is behind them. Sourced
# behind _init.sh.
#
#   mn              switch              router
#   eth0 --------+- visited1 -------- link1       2001:db8:1::/64
#                +- visited2 -------- link2       2001:db8:2::/64
#                +- homelink -------- home        2001:db8:100::/64
#
# The node moves when its port is put into another bridge and it gets an address there: `visit 1`, `come_home`.

# shellcheck source=tests/smoke/_mn.sh
. tests/smoke/_mn.sh
lab_namespaces=(mn router switch)
HA=2001:db8:a::1
HOME_ADDRESS=2001:db8:100::9
COA1=2001:db8:1::9 COA2=2001:db8:2::9 # care-of addresses
AT_HOME=2001:db8:100::1234 # of its interface there, not its home address

mobile_up() {
    local ns m
    for ns in "${lab_namespaces[@]}"; do
        ip netns add "$LAB-$ns"
        in_ns "$ns" ip link set lo up
    done
    in_ns switch sysctl -qw net.ipv6.conf.{all,default}.disable_ipv6=1
    in_ns mn sysctl -qw net.ipv6.conf.{all,default}.accept_dad=0
    in_ns router sysctl -qw net.ipv6.conf.{all,default}.accept_dad=0 net.ipv6.conf.all.forwarding=1
    link mn eth0 switch mn-eth0 02:00:00:00:01:01
    in_ns switch ip link set mn-eth0 down
    for m in link1:visited1 link2:visited2 home:homelink; do
        link router ${m%:*} switch sw-${m%:*}
        bridge ${m#*:} sw-${m%:*}
    done
    address router link1 2001:db8:1::1/64
    address router link2 2001:db8:2::1/64
    address router home 2001:db8:100::1/64
}

# The node's interface into a bridge, with one address and a default router.
move_to() { # move_to bridge address router
    in_ns switch ip link set mn-eth0 nomaster down
    in_ns mn ip -6 address flush dev eth0 scope global
    in_ns switch ip link set mn-eth0 master "$1" up
    in_ns mn ip -6 route replace default via "$3" dev eth0 onlink
    in_ns mn ip -6 address add "$2/64" dev eth0 nodad
}

visit() { # visit 1
    local coa=COA$1
    move_to "visited$1" "${!coa}" "2001:db8:$1::1"
}
come_home() { move_to homelink $AT_HOME 2001:db8:100::1; }

# In the whole lab: both gateways are mere routers of a visited link each, and have not the MAC addresses by which
# tests/lab/dissect knows gateways. Between lab_up and anchord_start; behind that, routes_to_routers.
routers_up() {
    local m
    in_ns mn sysctl -qw net.ipv6.conf.{all,default}.accept_dad=0
    for m in 1 2; do
        in_ns mag$m ip link set transit address 02:00:00:00:b0:1$m
        in_ns mag$m ip link set access0 address 02:00:00:00:b0:2$m
        in_ns mag$m sysctl -qw net.ipv6.conf.all.forwarding=1
        address mag$m access0 2001:db8:$m::1/64
        in_ns mag$m ip -6 route add default via $LMA
    done
}

routes_to_routers() {
    in_ns anchor ip -6 route add 2001:db8:1::/64 via $MAG1 dev access
    in_ns anchor ip -6 route add 2001:db8:2::/64 via $MAG2 dev access
}

# The node goes to the link behind a gateway.
visit_router() { # visit_router 1
    local coa=COA$1
    plug "$1a"
    in_ns mn ip -6 address flush dev eth0 scope global
    in_ns mn ip -6 route replace default via "2001:db8:$1::1" dev eth0 onlink
    in_ns mn ip -6 address add "${!coa}/64" dev eth0 nodad
}

mn_start() { # mn_start [more of mipv6] [more]
    mn_run <<END
[mipv6]
home_address = "$HOME_ADDRESS"
home_agents = ["$HA"]
${1:-}
${2:-}
END
}
