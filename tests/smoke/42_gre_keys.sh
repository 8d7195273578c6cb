#!/bin/bash
# GRE with a key each way, over IPv6 and in UDP over IPv4; the anchor's key stays over a handoff.
# workers: 1 2
# proves: GREKEY-3.3.2-6
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any MAG_GRE=keys

uplink() { mag "$1" show --json | jq '.bindings[0].keys.uplink'; }

lab_up
anchord_start
mag_start 1
mag_start 2
capture access anchor access-dpdk
attach 1a
lease mn
key=$(uplink 1)
expect "cn answers by IPv4" in_ns mn ping -c 3 -i 0.2 -W 2 $CN_IPV4
expect "cn answers by IPv6" in_ns mn ping -c 3 -i 0.2 -W 2 $CN
handoff 1a 2a $MAG2
has_key() { [[ $(uplink 2) != null ]]; }
eventually "mag2 has the key" has_key
equal "the anchor's key at mag2" "$(uplink 2)" "$key"
expect "cn answers by IPv4 after the handoff" in_ns mn ping -c 3 -i 0.2 -W 2 $CN_IPV4
captured access
keyed=$(printf 'gre.key == 0x%08x' "$key")
at_least "requests with the anchor's key" "$(count_frames access "$keyed && (icmp.type == 8 || icmpv6.type == 128)")" 9
equal "pings that are not in GRE" "$(count_frames access '(icmp.type == 8 || icmpv6.type == 128) && !gre')" 0
