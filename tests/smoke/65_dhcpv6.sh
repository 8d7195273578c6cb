#!/bin/bash
# A node gets its address by DHCPv6 from its gateway (RFC 5213 6.11), and from the next gateway the same one, which
# knows nothing of the node but its prefix: the lease of the first is confirmed, and a client without one gets it anew.
# proves: PMIP6-6.11-4, PMIP6-5.3.2-3
. "$(dirname "$0")/_init.sh"
RESOLVER=2001:db8:f::53
MAG_DHCP="ipv6 = 'server'
dns = ['$RESOLVER']"

replies() { mag "$1" show --json | jq .counters.dhcpv6_replies; }
types() { frames node "dhcpv6 && !icmpv6" dhcpv6.msgtype | paste -sd" "; } # of the messages on the node's link, not as errors quote them

lab_up
anchord_start
mag_start 1
mag_start 2
capture node mn eth0 "udp port 547 or icmp6"
attach 1a
dhcpv6
leased=$(dhcpv6_address)
expect "it is of the node's prefix" in_prefix "$leased" "$(binding '.hnp[0]')"
expect "cn answers it" in_ns mn ping -c 2 -i 0.2 -W 2 -I "$leased" $CN
equal "replies of mag1" "$(replies 1)" 2

handoff 1a 2a $MAG2
dhcpv6
equal "the address that mag2 confirms" "$(dhcpv6_address)" "$leased"
expect "cn answers it at mag2" in_ns mn ping -c 2 -i 0.2 -W 2 -I "$leased" $CN
rm "$RUN/lease"
dhcpv6
equal "the address for a client without a lease" "$(dhcpv6_address)" "$leased"
dhcpv6 -r
equal "addresses after a release" "$(dhcpv6_address)" ""
equal "replies of mag2" "$(replies 2)" 4
captured node
equal "messages on the link" "$(types)" "1 2 3 7 4 7 1 2 3 7 8 7"
equal "resolvers in answers with addresses" \
    "$(frames node 'dhcpv6.msgtype == 2 || dhcpv6.msgtype == 7' dhcpv6.dns_server | grep -c $RESOLVER)" 4
at_least "advertisements that tell of it" "$(count_frames node 'icmpv6.nd.ra.flag.m == 1 && icmpv6.nd.ra.flag.o == 1')" 2
