#!/bin/bash
# interworking = "combined" beside Mobile IPv4. A gateway registers a node with both families; the node registers its IPv4 home address at
# a care-of address of IPv4 and, by a binding update, its prefix at one of IPv6. The end of that entry leaves IPv4 where it is; the
# gateway registers the node again, and has its IPv4, too, as soon as the node ends its registration.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
. tests/smoke/_home.sh
key "$RUN/mn1.key" 7a
echo "$MN_ID,,,,,$HOME_IPV4,,,,$HOME_ADDRESS,,$SPI:mn1.key,256:mn1.key" >"$RUN/nodes.csv"
POLICY='nodes_file = "nodes.csv"'
ANCHORD_MORE='[mip4]
[home_agent]
interworking = "combined"
delete_delay = "1s"'

# Echoes of the node in each family by its gateway's tunnel and by its own, there and back: who carries which.
carriers() {
    local family node_end own=("${CARE_OF_IPV4[0]}" "$LMA_IPV4") home=$HOME_IPV4 cn=$CN_IPV4
    for family in IPv4 IPv6; do
        for node_end in gateway node; do
            local ns=mag1 ends=("$MAG1" "$LMA")
            [[ $node_end == gateway ]] || ns=mn ends=("${own[@]}")
            [[ $(in_ns $ns tests/lab/echo.py --src "${ends[0]}" --dst "${ends[1]}" --inner-src "$home" --inner-dst "$cn" --wait 1) == nothing ]] ||
                printf '%s by the %s\n' $family $node_end
        done
        own=("${CARE_OF[0]}" "$LMA") home=$HOME_ADDRESS cn=$CN
    done | paste -sd,
}

lab_up
visit4
visit eth0
anchord_start
scapy_mag mag1 $MAG1 $LMA

answer=$(pbu --lifetime 600 --ipv4 0.0.0.0/0)
equal "status of the gateway's update" "$(jq .status <<<"$answer")" 0
equal "what it was given" "$(binding '"\(.hnp[0]) \(.ipv4)"')" "2001:db8:100:7::/64 $HOME_IPV4"
equal "at the gateway" "$(carriers)" "IPv4 by the gateway,IPv6 by the gateway"

answered 1 "${CARE_OF_IPV4[0]}" --lifetime 600
equal "registered by Mobile IPv4" "$(carriers)" "IPv4 by the node,IPv6 by the gateway"
registers "${CARE_OF[0]}" 1 --lifetime 600
equal "registered by both" "$(carriers)" "IPv4 by the node,IPv6 by the node"

equal "status of the end" "$(bu "${CARE_OF[0]}" 2 --lifetime 0 | jq .status)" 0
equal "after the end of the entry" "$(carriers)" "IPv4 by the node"

answer=$(pbu --lifetime 600 --seq 2 --ipv4 0.0.0.0/0)
equal "status of the gateway's next update" "$(jq .status <<<"$answer")" 0
equal "at the gateway again" "$(carriers)" "IPv4 by the node,IPv6 by the gateway"
answered 1 "${CARE_OF_IPV4[0]}" --lifetime 0
equal "without Mobile IPv4" "$(carriers)" "IPv4 by the gateway,IPv6 by the gateway"
