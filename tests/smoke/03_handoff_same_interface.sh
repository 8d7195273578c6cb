#!/bin/bash
# The node moves to another gateway and back with the same interface, while a stream runs. It keeps its
# address, and after a PBA no packet goes to the gateway that lost it.
# workers: 1 2
# proves: PMIP6-5.3.4-1, PMIP6-5.3.4-2, PMIP6-5.3.4-6, PMIP6-5.3.4-8
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
mag_start 2
attach 1a
node=$(node_address)
capture access anchor access-dpdk
capture to-cn cn eth0 udp
stream_start 10
eventually "traffic at mag1" traffic_at $MAG1
handoff 1a 2a $MAG2
eventually "traffic at mag2" traffic_at $MAG2
handoff 2a 1a $MAG1
eventually "traffic at mag1 again" traffic_at $MAG1
stream_end
captured access
captured to-cn

equal "the node's address" "$(node_address)" "$node"
equal "handoffs" "$(binding .handoffs)" 2
equal "bindings" "$(ctl binding show | jq length)" 1
expect "both directions flowed at each gateway, and nothing strayed" tests/lab/flows "$RUN/access.pcap"
equal "duplicated" "$(stream uplink duplicated) $(stream downlink duplicated)" "0 0"
equal "reordered downlink" "$(stream downlink reordered)" 0
# With two workers the two gateways' packets may come by different queues (docs/handover.md).
[[ $WORKERS != 1 ]] || expect "what came first left first" tests/lab/order "$RUN"/{access,to-cn}.pcap
