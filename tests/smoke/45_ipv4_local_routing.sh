#!/bin/bash
# IPv4 packets between two nodes at one gateway take the tunnel, or not, as EnableMAGLocalRouting says,
# whether the tunnel is one of IPv6 or of IPv4.
# proves: PMIP4-3.2.4-3, PMIP4-4.2.2.2-2
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any

# Requests of mn to mn2 that the tunnel carried, up and down.
tunnelled() { # tunnelled local-routing anchor
    MAG_LOCAL_ROUTING=$1 MAG_LMA=$2
    mag_start 1
    attach 1a mn
    attach 1b mn2
    lease mn
    lease mn2
    local second
    second=$(node_ipv4 mn2)
    capture access anchor access-dpdk
    expect "mn2 answers mn" in_ns mn ping -c 4 -i 0.2 -W 2 "$second"
    captured access
    requests=$(count_frames access "icmp.type == 8 && ip.dst == $second")
    stop mag1
}

lab_up
anchord_start
for anchor in $LMA $LMA_IPV4; do
    tunnelled false "$anchor"
    equal "requests in the tunnel to $anchor without local routing" "$requests" 8
    tunnelled true "$anchor"
    equal "requests in the tunnel to $anchor with local routing" "$requests" 0
done
