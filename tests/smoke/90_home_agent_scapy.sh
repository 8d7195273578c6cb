#!/bin/bash
# A node of Mobile IPv6 registers by itself, its messages made by scapy: traffic both ways through its tunnel, a move, a
# refresh, the end; anchord is killed meanwhile and started again.
# proves: MIP6-8.4-4, MIP6-10.3.1-35
# workers: 1 2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_home.sh
home_agent_config

lab_up
visit eth0
anchord_start
capture access anchor access-dpdk
tunnel_from "${CARE_OF[0]}"
expect "nobody knows it yet" unreached
registers "${CARE_OF[0]}" 1
expect "the node reaches cn" reaches
expect "cn reaches the node" reached
equal "the home address" "$(home_binding .home_address)" $HOME_ADDRESS
expect "it is away" away_at "${CARE_OF[0]}"

tunnel_from "${CARE_OF[1]}"
registers "${CARE_OF[1]}" 2
expect "it has moved" away_at "${CARE_OF[1]}"
expect "the node reaches cn after the move" reaches
expect "cn reaches the node after the move" reached
registers "${CARE_OF[1]}" 3 --lifetime 600
equal "seconds granted" "$(home_binding .lifetime_s)" 600

stop anchord KILL || true
anchord_start
expect "the binding was kept" away_at "${CARE_OF[1]}"
equal "its sequence number" "$(home_binding .seq)" 3
eventually "cn reaches the node again" reached
equal "status of an old number" "$(bu "${CARE_OF[1]}" 3 --mobile-network 2001:db8:9000::/56 | jq .status)" 135

registers "${CARE_OF[1]}" 4 --lifetime 0
eventually "no binding is left" no_binding
expect "nobody reaches it any more" unreached
captured access
equal "packets to the home address outside of its tunnel" \
    "$(count_frames access "ipv6.dst == $HOME_ADDRESS && !(ipv6.dst in {${CARE_OF[0]}, ${CARE_OF[1]}})")" 0
