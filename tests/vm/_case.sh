# shellcheck shell=bash
# What the cases share: registration, the tunnel in the guest, traffic and who counted it. Sourced.
#
#   guest                                                       namespaces of the lab
#     node (namespace)            kernel                          anchor          cn
#       eth0 --------------- cell  ->  tunnel ->  eth0 === transit === anchord --- eth0, lo
#       $node                                     $MAG1

PINGS=5 # each way
PING_BYTES=1000
BLOB_BYTES=400000
TIMESTAMP_WINDOW=30s # an emulated machine is slow
LAB_IPV4=true

# The link to the node, made once.
node_link() {
    guest "ip netns add node && ip link add cell type veth peer name eth0 netns node &&
        ip -n node link set eth0 up && ip link set cell up && ip address add fe80::1/64 dev cell nodad &&
        sysctl -w net.ipv6.conf.all.forwarding=1 && sysctl -w net.ipv4.ip_forward=1"
}

# Registers the node; what it got is in $RUN/answer. The update is made by scapy on the host and
# leaves, as the answer arrives, by the guest's own sockets: its kernel fills in and verifies checksums.
register() { # register source destination [argument of pbu.py ...]
    local message how=mh
    [[ $1 == *:* ]] || how=udp
    message=$(tests/lab/pbu.py --src "$1" --dst "$2" --mn-id "$MN_ID" --message "${@:3}")
    guest "python3 -I -S /exchange.py $how $1 $2 $message" >"$RUN/acknowledgement" ||
        fail "no acknowledgement: $(<"$RUN/acknowledgement")"
    tests/lab/pbu.py --read "$(<"$RUN/acknowledgement")" | tee "$RUN/answer"
    equal "status" "$(answer .status)" 0
}

answer() { jq -r "$1" "$RUN/answer"; } # answer jq-expression: of the acknowledgement

# The node has the address that it got, and what it sends takes the tunnel.
connect_ipv6() { # connect_ipv6 device
    local prefix
    prefix=$(answer '.prefixes[0]')
    node=${prefix%/*}42
    guest "ip link set $1 up && ip -n node address add $node/64 dev eth0 nodad &&
        ip -n node route replace default via fe80::1 dev eth0 && ip -6 route replace $prefix dev cell &&
        ip -6 rule add iif cell lookup 100 && ip -6 route replace default dev $1 table 100"
}

connect_ipv4() { # connect_ipv4 device
    local router
    router=$(answer .ipv4_router)
    node=$(answer .ipv4)
    node=${node%/*}
    guest "ip link set $1 up && ip -n node address add $node/32 dev eth0 && ip address add $router/32 dev cell &&
        ip -n node route replace default via $router dev eth0 onlink && ip route replace $node dev cell &&
        ip rule add iif cell lookup 100 && ip route replace default dev $1 table 100"
}

disconnect() {
    guest "for d in tunnel tunnel4; do ip link del \$d; done; ip -n node address flush dev eth0 scope global;
        ip -4 address flush dev cell; ip -6 rule del iif cell lookup 100; ip rule del iif cell lookup 100" || true # not all was there
}

in_node() { guest "ip netns exec node $*"; }

tunnel_packets() { # tunnel_packets device rx|tx: by the guest's kernel
    guest ip -s -j link show "$1" | jq ".[0].stats64.$2.packets"
}

# Pings of $node in both directions; the frames on the access link are as the filters say, and the
# guest's kernel, anchord and the correspondent count the same.
pings_both_ways() { # pings_both_ways device filter-of-uplink-frames filter-of-downlink-frames
    local packets=$((2 * PINGS)) up=$2 down=$3 ip=ip cn=$CN_IPV4 counts
    [[ $node != *:* ]] || ip=ipv6 cn=$CN
    counts=("$(binding_count $ip)" "$(worker_count)" "$(tunnel_packets "$1" tx)" "$(tunnel_packets "$1" rx)")
    capture access anchor access-dpdk
    capture cn cn eth0 "(icmp or icmp6) and host $node"
    in_node ping -c $PINGS -i 0.2 -s $PING_BYTES "$cn" || fail "cn does not answer the node"
    expect "the node answers cn" in_ns cn ping -c $PINGS -i 0.2 -W 2 -s $PING_BYTES -I "$cn" "$node"
    captured access
    captured cn
    equal "uplink frames on the wire" "$(count_frames access "$up && $ip.src == $node")" $packets
    equal "downlink frames on the wire" "$(count_frames access "$down && $ip.dst == $node")" $packets
    equal "packets at cn" "$(count_frames cn "$ip.src == $node") $(count_frames cn "$ip.dst == $node")" \
        "$packets $packets"
    equal "the binding's count of both directions" $(($(binding_count $ip) - counts[0])) $((2 * packets))
    at_least "frames that workers sent" $(($(worker_count) - counts[1])) $((2 * packets))
    equal "the guest's count up" $(($(tunnel_packets "$1" tx) - counts[2])) $packets
    equal "the guest's count down" $(($(tunnel_packets "$1" rx) - counts[3])) $packets
}

# A binding's counters are those of its prefixes in their order, then of its IPv4 home address.
binding_count() { # binding_count ip|ipv6
    binding "(.hnp | length) as \$n | if \"$1\" == \"ipv6\" then .counters[:\$n] else .counters[\$n:] end |
        map(.uplink_packets + .downlink_packets) | add"
}
worker_count() { ctl worker show | jq 'map(.tx_packets) | add'; }

# A TCP connection in each direction carries a file whole: full-sized segments, and what Packet Too Big
# teaches both ends.
tcp_both_ways() {
    local wanted
    head -c $BLOB_BYTES /bin/busybox >"$RUN/blob"
    wanted=$(sha256sum <"$RUN/blob")
    guest "rm -f /run/up /run/down /run/never; head -c $BLOB_BYTES /bin/busybox >/run/up; mkfifo /run/never"
    guest "ip netns exec node nc -l -p 5001 </run/up >/dev/null 2>&1 &"
    guest "ip netns exec node nc -l -p 5002 <>/run/never >/run/down 2>&1 &"
    eventually "the node listens" guest "test \$(ip netns exec node netstat -ltn | grep -c ':500[12] ') = 2"
    equal "the file from the node" \
        "$(in_ns cn timeout 30 bash -c "sha256sum </dev/tcp/$node/5001")" "$wanted"
    in_ns cn timeout 30 bash -c "cat $RUN/blob >/dev/tcp/$node/5002"
    eventually "the file is at the node" guest "test \$(stat -c %s /run/down) = $BLOB_BYTES"
    equal "the file to the node" "$(guest "sha256sum </run/down")" "$wanted"
}
