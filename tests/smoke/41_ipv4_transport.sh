#!/bin/bash
# Gateway and anchor have IPv4 between them alone: updates in UDP, packets of both families in UDP.
# workers: 1 2
# proves: PMIP4-4.2.2-7
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any MAG_LMA=$LMA_IPV4 MAG_FORCE_UDP=true

at_mag2() { [[ $(binding .proxy_coa) == *"$MAG2_IPV4" ]]; }

lab_up
anchord_start
mag_start 1
mag_start 2
capture access anchor access-dpdk
attach 1a
lease mn
expect "cn answers by IPv4" in_ns mn ping -c 5 -i 0.2 -W 2 -s 1000 $CN_IPV4
expect "cn answers by IPv6" in_ns mn ping -c 5 -i 0.2 -W 2 -s 1000 $CN
plug 2a
solicit
eventually "the binding is at mag2" at_mag2
vacate 1a
expect "cn answers by IPv4 after the handoff" in_ns mn ping -c 3 -i 0.2 -W 2 $CN_IPV4
captured access
equal "Mobility Headers over IPv6" "$(count_frames access 'ipv6.nxt == 135')" 0
at_least "updates in UDP" "$(count_frames access "mip6.mhtype == 5 && udp.dstport == 5436")" 2
data="udp.port == 5437 && ip.addr == $MAG1_IPV4"
at_least "packets in UDP" "$(count_frames access "$data")" 20
equal "packets in plain tunnels" "$(count_frames access 'ip.proto == 4 || ip.proto == 41')" 0
