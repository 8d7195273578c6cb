# shellcheck shell=bash
# The scenarios of RFC 6612 in one anchord that is local mobility anchor and home agent: what the smoke tests and
# scripts/demo --scenario share. Sourced behind _init.sh.
#
#   mn, mn2          switch             gateways, a router            switch       anchor              cn
#            +-- cell1a, cell2a --- [mag1] [mag2]  one domain   --+
#   eth0 ----+-- cell3a ----------- [mag3]         another one  --+-- transit -- access-dpdk  core-dpdk --- eth0
#            +-- visited1, 2 ------ [ar]           neither      --+
#
# mn is a node of Mobile IPv6 (anchor-mn), whose home is HOME_ADDRESS; mn2 an ordinary host.

# shellcheck source=tests/smoke/_mobile.sh
. tests/smoke/_mobile.sh
# shellcheck source=tests/smoke/_movement.sh
. tests/smoke/_movement.sh
lab_namespaces=(mn mn2 mag1 mag2 mag3 ar anchor cn switch)
lab_gateways=(1 2 3)
AR=2001:db8:a::14
HA=$LMA
HOME_ADDRESS=2001:db8:100:7::7
POOL_LOCAL=2001:db8:200::/40 POOL_VISITED=2001:db8:300::/40
# What gateways call mn: at home, in the domain that only manages its movements nearby, in a visited one.
AT_HOME_ID=$MN_ID LOCAL_ID=mn1@local.example VISITED_ID=mn1@visited.example

scenario_up() { # scenario_up name-of-mn-in-the-domain-of-mag1-and-mag2
    domain_id=$1
    key "$RUN/mn.key" 5e
    cat >"$RUN/nodes" <<END
$AT_HOME_ID, yes, home, , , , , , , $HOME_ADDRESS, , 256:mn.key
$LOCAL_ID, yes, local
$VISITED_ID, yes, visited
END
    POLICY='nodes_file = "nodes"'
    ANCHORD_MORE="[[pool]]
name = \"local\"
prefix = \"$POOL_LOCAL\"
delegated_len = 64
[[pool]]
name = \"visited\"
prefix = \"$POOL_VISITED\"
delegated_len = 64
[home_agent]
interworking = \"${INTERWORKING:-independent}\"
delete_delay = \"1s\""
    step "lab: namespaces $LAB-{mn,mn2,mag1,mag2,mag3,ar,anchor,cn}"
    lab_up
    in_ns mn sysctl -qw net.ipv6.conf.{all,eth0}.accept_dad=0
    in_ns mn2 sysctl -qw net.ipv6.conf.{all,eth0}.accept_dad=0
    access_router
    step "anchord starts, LMA and home agent (interworking = \"${INTERWORKING:-independent}\"); gateways mag1, mag2 and mag3"
    anchord_start
    in_ns anchor ip -6 route add 2001:db8:1::/64 via $AR dev access
    in_ns anchor ip -6 route add 2001:db8:2::/64 via $AR dev access
    MN_ID=$domain_id mag_start 1
    MN_ID=$domain_id mag_start 2
    MN_ID=$VISITED_ID MAG_LMA=${MAG3_LMA:-} MAG_FORCE_UDP=${MAG3_FORCE_UDP:-false} mag_start 3
}

# An ordinary router with two links, without Proxy Mobile IPv6.
access_router() {
    in_ns ar sysctl -qw net.ipv6.conf.{all,default}.accept_dad=0 net.ipv6.conf.all.forwarding=1
    link ar transit switch art 02:00:00:00:b0:14
    in_ns switch ip link set art master transit
    address ar transit $AR/64
    in_ns ar ip -6 route add default via "$LMA"
    local l
    for l in 1 2; do
        link ar link$l switch ar$l "02:00:00:00:b0:2$l"
        bridge visited$l ar$l
        address ar link$l 2001:db8:$l::1/64
    done
}

# --- where mn is

# To a gateway's cell. Where the node knows that it is another network it drops what it had in the last one first.
to_gateway() { # to_gateway 2
    forget_link
    plug "$1a"
    solicit
}

# To a link of the ordinary router, as if by configuration.
to_router() { # to_router 1
    local coa=COA$1
    forget_link
    in_ns switch ip link set mn-eth0 master "visited$1" up
    in_ns mn ip -6 route add default via "2001:db8:$1::1" dev eth0 onlink
    in_ns mn ip -6 address add "${!coa}/64" dev eth0 nodad
}

forget_link() {
    unplug
    in_ns mn ip -6 address flush dev eth0 scope global
    in_ns mn ip -6 route flush default
}

home_node_start() {
    mn_start "mn_id = \"$AT_HOME_ID\"" '[tunnel]
interface = "mn-tun"
mtu = 1400
[authentication]
spi = 256
key_file = "mn.key"'
}

# --- what anchord says

row() { # row proxy|home mn_id jq-expression
    ctl binding show --counters --mn-id "$2" | jq -r "[.[] | select(.kind == \"$1\")][0] | $3"
}
served_by() { [[ $(row proxy "$2" '"\(.state) \(.proxy_coa)"') == "active $1" ]]; }              # served_by proxy-coa mn_id
away_at() { [[ $(row home "$AT_HOME_ID" '"\(.state) \(.proxy_coa)"') == "active $1" ]]; }          # away_at care-of
ended() { [[ $(row "$1" "$2" .state) != active ]]; }                                             # ended proxy|home mn_id
care_of_in() { in_prefix "$(mn '.binding.care_of // "::"')" "$1"; }                              # care_of_in prefix
is_home() { [[ $(mn '.binding.at') == home && $(mn '.binding.care_of') == null ]]; }
updates_sent() { mn '.counters.bu_sent // 0'; }
agrees() { away_at "$(mn .binding.care_of)"; } # node and anchor

# --- A.1: the address that Proxy Mobile IPv6 manages is the care-of address at the home agent (RFC 6612 4.1)

scenario_a1() {
    scenario_up $LOCAL_ID
    streams=("mn $HOME_ADDRESS cn $CN")
    step "the node attaches at mag1, which knows it as $LOCAL_ID, and registers its address there with its home agent"
    to_gateway 1
    home_node_start
    eventually "the care-of address is one that gateways manage" care_of_in $POOL_LOCAL
    expect "the anchor says the same" agrees
    show_bindings "attached at mag1"
    local updates care_of
    updates=$(updates_sent) care_of=$(mn .binding.care_of)
    capture nearby anchor access-dpdk
    movement "local movement, to mag2: the gateways' business alone" nearby 1 2
    captured nearby
    equal "binding updates that the node says it sent" "$(updates_sent)" "$updates"
    equal "binding updates on the wire" "$(count_frames nearby 'mip6.mhtype == 5 && mip6.bu.p_flag == 0')" 0
    at_least "proxy binding updates" "$(count_frames nearby 'mip6.mhtype == 5 && mip6.bu.p_flag == 1')" 1
    equal "the care-of address" "$(mn .binding.care_of)" "$care_of"
    at_least "packets to the node in the home agent's tunnel, which is in that to mag2" \
        "$(count_frames nearby "ipv6.dst == $MAG2 && ipv6.dst == $care_of && ipv6.dst == $HOME_ADDRESS && udp")" 1
    movement "global movement, to mag3 of another domain: a new care-of address, a binding update" far 3 $POOL_VISITED
    at_least "binding updates of the node" "$(updates_sent)" $((updates + 1))
    movement "global movement, back to mag1" far 1 $POOL_LOCAL
}

nearby() { # nearby from to: the prefix is the same, so nothing tells the node that it is elsewhere
    local coa=MAG$2
    plug "$2a"
    solicit
    eventually "the node is served by mag$2" served_by "${!coa}" "$domain_id"
    vacate "$1a"
}

far() { # far gateway pool
    to_gateway "$1"
    eventually "the node has registered an address of $2" care_of_in "$2"
    expect "the anchor says the same" agrees
}

far_router() { # far_router link
    local coa=COA$1
    to_router "$1"
    eventually "the node has registered ${!coa}" mn_is .binding.care_of "${!coa}"
    expect "the anchor says the same" agrees
}

# --- A.2: the home link is a domain of Proxy Mobile IPv6 (RFC 6612 4.2)

scenario_a2() {
    scenario_up "$AT_HOME_ID"
    streams=("mn $HOME_ADDRESS cn $CN")
    step "the node attaches at mag1: the prefix around its home address, so it is at home"
    to_gateway 1
    home_node_start
    eventually "the node is at home" is_home
    equal "the prefix that it was given" "$(row proxy "$AT_HOME_ID" '.hnp[0]')" 2001:db8:100:7::/64
    show_bindings "at home, at mag1"
    movement "within the home domain, to mag2: the gateways' business alone" nearby 1 2
    movement "it leaves, to a link without gateways, and registers by itself" leaves_home 2 1
    movement "it goes on, to mag3 of a visited domain" far 3 $POOL_VISITED
    if [[ ${INTERWORKING:-} == combined ]]; then
        expect "the one binding is not the gateway's to end any more" served_by "$MAG2" "$AT_HOME_ID"
        equal "what moved with the node" "$(row home "$AT_HOME_ID" '.hnp[0]')" 2001:db8:100:7::/64
    else
        eventually "the gateway has ended its binding" ended proxy "$AT_HOME_ID"
        equal "what moved with the node besides its address" "$(row home "$AT_HOME_ID" '.hnp[0]')" null
    fi
    movement "it returns home, to mag1" returns_home 1
    equal "the prefix that it has again" "$(row proxy "$AT_HOME_ID" '.hnp[0]')" 2001:db8:100:7::/64
    eventually "its own binding is gone" ended home "$AT_HOME_ID"
}

leaves_home() { # leaves_home gateway link
    far_router "$2"
    vacate "$1a"
}

returns_home() { # returns_home gateway
    local coa=MAG$1
    to_gateway "$1"
    eventually "the node is at home" is_home
    expect "its gateway's binding is in force" served_by "${!coa}" "$AT_HOME_ID"
}

# --- B: nodes that move themselves and nodes that the network moves, at once (RFC 6612 3.3)

scenario_b() {
    scenario_up $LOCAL_ID
    step "mn, a node of Mobile IPv6, is on a link without gateways; mn2, an ordinary host, at mag1"
    to_router 1
    home_node_start
    eventually "mn is registered" mn_is .binding.care_of $COA1
    attach 1a mn2
    local address2
    address2=$(node_address mn2)
    streams=("mn $HOME_ADDRESS cn $CN" "mn2 $address2 cn $CN" "mn $HOME_ADDRESS mn2 $address2")
    show_bindings "both are there"
    movement "mn moves to another link" far_router 2
    movement "mn2 moves to mag2" host_moves 1 2
    movement "both move at once" both_move
    equal "the address of mn2" "$(node_address mn2)" "$address2"
}

host_moves() { # host_moves from to
    local coa=MAG$2
    plug "$2a" mn2
    solicit mn2
    eventually "mn2 is served by mag$2" served_by "${!coa}" "$MN2_ID"
    vacate "$1a"
}

both_move() {
    plug 1a mn2
    to_router 1
    solicit mn2
    eventually "mn has registered $COA1" mn_is .binding.care_of $COA1
    eventually "mn2 is served by mag1" served_by "$MAG1" "$MN2_ID"
    vacate 2a
}
