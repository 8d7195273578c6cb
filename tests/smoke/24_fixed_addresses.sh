#!/bin/bash
# The gateways use the link-layer address and the interface identifier that RFC 6543 reserves, whatever
# their interfaces had before: after a handoff the node's default router is the same one.
# proves: PMIP6-6.9.3-1, PMIP6-9.3-8, PMIP6-9.3-9, PMIP4-1.1-1
# proves: FIXEDLL-1-1, FIXEDLL-1-2, FIXEDLL-1-3, FIXEDLL-1-4
MAG_MAC=00:00:5e:00:52:13
FIXED_LINK_LOCAL=true
. "$(dirname "$0")/_init.sh"

reserved="fe80::200:5eff:fe00:5213 $MAG_MAC"

# The node's default router: its address, and its link-layer address as it was just resolved.
router() {
    local address
    address=$(in_ns mn ip -j -6 route show default dev eth0 | jq -r '.[0].gateway')
    in_ns mn ip -6 neighbor flush dev eth0
    in_ns mn ping -c 1 -W 2 "$address%eth0" >/dev/null || true # for its solicitation
    in_ns mn ip -j -6 neighbor show "$address" dev eth0 | jq -r '"\(.[0].dst) \(.[0].lladdr)"'
}

lab_up
in_ns mag1 ip link set access0 address 02:00:00:00:ac:01
in_ns mag2 ip link set access0 address 02:00:00:00:ac:02
anchord_start
mag_start 1
mag_start 2
attach 1a
equal "the router at mag1" "$(router)" "$reserved"
expect "the node reaches cn" reaches
handoff 1a 2a $MAG2
equal "the router at mag2" "$(router)" "$reserved"
expect "the node reaches cn again" reaches
