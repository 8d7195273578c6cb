#!/bin/bash
# With clamping, TCP of both families fits the tunnel from its first segment: nobody is told that a packet
# is too big. (70_path_mtu.sh: without it, ICMP does the same a little later.) The gateway and the node
# think that the tunnel carries 1460 bytes.
TUNNEL_MTU=1400
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any
ANCHORD_MORE=$'[tunnel]\nmss_clamping = true'

lab_up
anchord_start
mag_start 1
attach 1a
lease mn
node=$(node_address) node_ipv4=$(node_ipv4 mn)
capture cn cn eth0 icmp6 or icmp or tcp or ip6 proto 6

for at in "$CN $node" "$CN_IPV4 $node_ipv4"; do
    set -- $at
    start "server$1" mn "$PWD/tests/lab/transfer.py" serve "$2" 5214
    eventually "the server listens at $2" in_ns cn "$PWD/tests/lab/transfer.py" send "$2" 5214 "$1" 1
    in_ns cn "$PWD/tests/lab/transfer.py" send "$2" 5214 "$1" 1000000 >"$RUN/transfer.json"
    equal "a megabyte from $1 and back" "$(jq -c '[.received, .same]' "$RUN/transfer.json")" '[1000000,true]'
done
captured cn
equal "packets too big" "$(count_frames cn 'icmpv6.type == 2 || (icmp.type == 3 && icmp.code == 4)')" 0
equal "MSS of the node's answers" \
    "$(frames cn 'tcp.flags.syn == 1 && tcp.flags.ack == 1' tcp.options.mss_val | sort -u | xargs)" "1300 1320"
equal "segments longer than the tunnel" "$(count_frames cn "tcp && frame.len > $((14 + 1360))")" 0
at_least "SYNs whose MSS was lowered" "$(counter worker_mss_clamped)" 4
