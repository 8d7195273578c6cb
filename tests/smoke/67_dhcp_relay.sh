#!/bin/bash
# Where the anchor wants relays, nodes get their addresses of both families from the operator's servers (dnsmasq):
# through the gateway, also when they renew, and only those that the anchor gave. A release ends the IPv4 session.
# proves: PMIP4-3.2.3.2-18, PMIP4-3.4.2-1, PMIP6-6.11-1
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_IPV4=any DHCP_MODE=relay
MAG_DHCP="ipv6 = 'relay'
servers = ['$MAG2_IPV4', '$MAG2']"
command -v dnsmasq >/dev/null || skip "no dnsmasq, which is the operator's DHCP server"

# In the place of mag2. It gives an IPv4 address only to whom the relay names by it.
dnsmasq_start() { # dnsmasq_start ipv4-address
    start dnsmasq mag2 dnsmasq --no-daemon --conf-file=/dev/null --port=0 --interface=transit --log-dhcp \
        --user=root --group=root --pid-file="$RUN/dnsmasq.pid" --dhcp-leasefile="$RUN/leases" --no-ping --dhcp-authoritative \
        --dhcp-remoteid=set:node,"$(printf '%02x:%02x:%02x:%02x' ${home//./ })" --dhcp-option=option:router,"$router" \
        --dhcp-range=tag:node,"$1,$1,255.255.255.0,2m" --dhcp-range="${hnp%::*}::1000,${hnp%::*}::1000,64,2m"
    eventually "dnsmasq serves" grep -q 'DHCPv6, IP range' "$RUN/dnsmasq.log"
}
relayed() { mag 1 show --json | jq .counters.dhcp_relayed; }
relayed_again() { (($(relayed) > before)); }
no_ipv4() { [[ $(binding .ipv4) == null ]]; }

lab_up
anchord_start
mag_start 1
attach 1a
home=$(binding .ipv4) hnp=$(binding '.hnp[0]')
router=$(mag 1 show --json | jq -r '.bindings[0].ipv4.router')
dnsmasq_start "${home%.*}.200"
in_ns mn busybox udhcpc -i eth0 -n -q -t 2 -T 1 -s "$PWD/tests/lab/udhcpc" && fail "an address that is not the node's"
at_least "offers of another address" "$(mag 1 show --json | jq .counters.dhcp_other_address)" 1
stop dnsmasq || true
rm -f "$RUN/leases"

dnsmasq_start "$home"
capture node mn eth0 port 67
capture server mag2 transit "port 67 or port 547"
start udhcpc mn busybox udhcpc -i eth0 -f -t 10 -T 1 -s "$PWD/tests/lab/udhcpc"
node_has_home() { [[ $(node_ipv4) == "$home" ]]; }
eventually "the node has its home address" node_has_home
expect "cn answers it" in_ns mn ping -c 2 -i 0.2 -W 2 $CN_IPV4
before=$(relayed)
kill -USR1 "${daemon[udhcpc]}"
eventually "the node's renewal went on to the server" relayed_again
dhcpv6
equal "the address that the server gave" "$(dhcpv6_address)" "${hnp%::*}::1000"
expect "cn answers it" in_ns mn ping -c 2 -i 0.2 -W 2 -I "$(dhcpv6_address)" $CN
kill -USR2 "${daemon[udhcpc]}"
eventually "the anchor has the IPv4 address back" no_ipv4
captured node
captured server
equal "agent's options on the node's link" "$(count_frames node 'dhcp.option.type == 82')" 0
equal "renewals to the default router" \
    "$(count_frames node "dhcp.option.dhcp == 3 && ip.dst == $router && ip.src == $home")" 1
at_least "requests that name the home address and come from the gateway" "$(frames server \
    "dhcp.type == 1 && dhcp.ip.relay == $MAG1_IPV4 && ip.src == $MAG1_IPV4" dhcp.option.agent_information_option.agent_remote_id |
    grep -ci "$(printf '%02x%02x%02x%02x' ${home//./ })")" 4
equal "releases that the server got" "$(count_frames server 'dhcp.option.dhcp == 7')" 1
at_least "relayed messages with the node's prefix as link" \
    "$(count_frames server "dhcpv6.msgtype == 12 && dhcpv6.linkaddr == ${hnp%/*} && ipv6.src == $MAG1")" 2
