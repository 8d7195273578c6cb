#!/bin/bash
# A node in an IPv4 network (RFC 5555), no NAT before it: its binding update in UDP, its packets in IPv4.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_home.sh
LAB_IPV4=1
CARE_OF_IPV4=192.0.2.51
home_agent_config

lab_up
visit eth0
address mn eth0 $CARE_OF_IPV4/24
anchord_start
answer=$(bu $CARE_OF_IPV4 1 --agent-ipv4 $LMA_IPV4)
equal "status" "$(jq .status <<<"$answer")" 0
expect "it is away" away_at $CARE_OF_IPV4
start tunnel mn tests/lab/home_tunnel.py --home $HOME_ADDRESS --care-of $CARE_OF_IPV4 --agent $LMA_IPV4
eventually "the node's tunnel is up" grep -q ready "$RUN/tunnel.log"
expect "the node reaches cn" reaches
expect "cn reaches the node" reached
