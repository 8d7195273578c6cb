#!/bin/bash
# The operator takes the home agent out of service: the node is told by a Home Agent Switch in its tunnel (RFC 5142), and its lifetime is
# not extended any more (129), while packets still reach it; then the home agent serves again.
# workers: 1 2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_home.sh
home_agent_config

lab_up
visit eth0
anchord_start
capture access anchor access-dpdk
tunnel_from "${CARE_OF[0]}"
registers "${CARE_OF[0]}" 1 --lifetime 600
ctl node drain --within 40 >/dev/null
eventually "the node was told" counted home_agent_switch_sent 1
equal "status while it leaves" "$(bu "${CARE_OF[0]}" 2 --lifetime 600 | jq .status)" 129
expect "cn still reaches the node" reached
ctl node serve >/dev/null
registers "${CARE_OF[0]}" 3 --lifetime 600
equal "seconds granted afterwards" "$(home_binding .lifetime_s)" 600
captured access
at_least "switches inside the tunnel" "$(count_frames access "mip6.mhtype == 12 && ipv6.dst == ${CARE_OF[0]} && ipv6.dst == $HOME_ADDRESS")" 1
