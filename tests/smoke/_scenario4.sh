# shellcheck shell=bash
# A dual-stack node of Mobile IPv4 (RFC 5454): what a smoke test and scripts/demo --scenario dsmip4 share. Sourced behind
# _init.sh. The node visits two networks of IPv4 alone and keeps its IPv4 address and its IPv6 network.

# shellcheck source=tests/smoke/_mip4.sh
. tests/smoke/_mip4.sh
# shellcheck source=tests/smoke/_mobile4.sh
. tests/smoke/_mobile4.sh
# shellcheck source=tests/smoke/_movement.sh
. tests/smoke/_movement.sh

scenario_dsmip4() {
    mip4_config
    streams=("mn $HOME_IPV4 cn $CN_IPV4" "mn $NODE_IPV6 cn $CN")
    step "lab: namespaces $LAB-{mn,mag1,mag2,anchor,cn}; mag1 and mag2 are mere routers of IPv4 here"
    lab_up
    links_up
    step "anchord starts, a home agent of Mobile IPv4"
    anchord_start
    routes_to_links
    step "the node, in the first network, registers $HOME_IPV4 and the IPv6 network around $NODE_IPV6"
    visit_link 1
    mn_start
    eventually "the node is registered" mn_is .binding.care_of $COA1
    show_bindings "registered at $COA1"
    movement "to another network of IPv4: IPv4 and IPv6 go on" visit_and_register 2
    capture back anchor access-dpdk
    movement "and back" visit_and_register 1
    captured back
    for family in "ip.dst == $HOME_IPV4" "ipv6.dst == $NODE_IPV6"; do
        at_least "packets in IPv4 to the care-of address: $family" "$(count_frames back "udp && ip.dst == $COA1 && $family")" 1
    done
    stop mn || fail "anchor-mn ended with status $?"
    eventually "no registration is left" no_binding
    step "the node has ended its registration"
}

visit_and_register() { # visit_and_register link
    local coa=COA$1
    visit_link "$1"
    eventually "the node is registered at ${!coa}" mn_is .binding.care_of "${!coa}"
}
