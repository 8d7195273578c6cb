#!/bin/bash
# RFC 6612, scenario A.2: the home link is a domain of Proxy Mobile IPv6. The node leaves it and registers by itself, beside its
# gateway's binding, and packets take its own tunnel; it comes home, hears there through the gateway what is wrong with its first
# de-registration, and the second leaves the proxy binding as it was.
# workers: 1 2
# proves: MIP6-10.3.2-9
. "$(dirname "$0")/_init.sh"
. tests/smoke/_home.sh
home_agent_config

proxy_binding() { ctl binding show --mn-id "$MN_ID" | jq -r "[.[] | select(.kind == \"proxy\")][0] | $1"; }
tunnelled_to() { count_frames access "ipv6.dst == $1 && ipv6.dst == $HOME_ADDRESS && icmpv6.type == 128"; } # address

lab_up
anchord_start
mag_start 1
attach 1a
other=$(node_address)
equal "the prefix that the gateway was given is around the home address" "$(binding '.hnp[0]')" 2001:db8:100:7::/64
address mn eth0 $HOME_ADDRESS/64
expect "cn reaches the node at home" reached

visit eth1
tunnel_from "${CARE_OF[0]}" --by-source
registers "${CARE_OF[0]}" 1 --interface eth1
capture access anchor access-dpdk
equal "bindings" "$(ctl binding show | jq length)" 2
expect "cn reaches the node away" reached
expect "cn reaches its other addresses at home" in_ns cn ping -c 1 -W 1 "$other"
captured access
equal "echo requests to the care-of address" "$(tunnelled_to "${CARE_OF[0]}")" 1
equal "echo requests to the home address at the gateway" "$(tunnelled_to $MAG1)" 0

stop tunnel || true
in_ns mn ip link set eth1 down
capture access anchor access-dpdk
answer=$(bu $HOME_ADDRESS 1 --lifetime 0)
equal "status and number of one that it has used, at home" "$(jq -c '[.status, .seq]' <<<"$answer")" "[135,1]"
captured access
equal "refusals in the tunnel to the gateway" "$(count_frames access "mip6.ba.status == 135 && !icmpv6 && ipv6.dst == $MAG1 && ipv6.dst == $HOME_ADDRESS")" 1
equal "refusals in all" "$(count_frames access 'mip6.ba.status == 135 && !icmpv6')" 1
expect "its own binding is in force" away_at "${CARE_OF[0]}"
answer=$(bu $HOME_ADDRESS 2 --lifetime 0)
equal "status at home" "$(jq .status <<<"$answer")" 0
equal "no routing header at home" "$(jq -r .home <<<"$answer")" null
equal "the proxy binding" "$(proxy_binding '"\(.state) \(.hnp[0]) \(.proxy_coa)"')" "active 2001:db8:100:7::/64 $MAG1"
expect "cn reaches the node at home again" reached
eventually "the node's own binding is gone" sessions_are 1
