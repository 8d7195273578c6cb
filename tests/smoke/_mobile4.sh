# shellcheck shell=bash
# A node of Mobile IPv4 that anchor-mn plays; its care-of addresses are of two links, each behind a router. Sourced behind _init.sh and
# _mip4.sh, which has the home agent's part.
#
#   mn                      mag1, mag2             switch
#   eth0 ---- cell1a ------ a router ------------- transit --- anchord --- cn
#        \    10.0.1.0/24                       /
#         ---- cell2a ----- a router, or a NAT -
#              10.0.2.0/24

# shellcheck source=tests/smoke/_mn.sh
. tests/smoke/_mn.sh
COA1=10.0.1.9 COA2=10.0.2.9 # care-of addresses

# Both gateways are mere routers here, and have not the MAC addresses by which tests/lab/dissect knows gateways. Between lab_up and
# anchord_start; behind that, routes_to_links.
links_up() {
    local m
    for m in 1 2; do
        in_ns mag$m ip link set transit address 02:00:00:00:b0:1$m
        in_ns mag$m ip link set access0 address 02:00:00:00:b0:2$m
        in_ns mag$m sysctl -qw net.ipv4.ip_forward=1
        address mag$m access0 10.0.$m.1/24
        in_ns mag$m ip route add default via $LMA_IPV4
    done
}

routes_to_links() { # routes_to_links [1 ...]: both if none is named
    local m gateway
    (($# > 0)) || set -- 1 2
    for m in "$@"; do
        gateway=MAG${m}_IPV4
        in_ns anchor ip route add "10.0.$m.0/24" via "${!gateway}" dev access
    done
}

# The second link's addresses are not known beyond its router, nor are the ports.
nat_up() {
    command -v nft >/dev/null || skip "no nft: the lab's NAT is the kernel's"
    in_ns mag2 nft -f - <<<'table ip nat {
        chain out {
            type nat hook postrouting priority srcnat
            oifname "transit" meta l4proto udp masquerade to :40000-49999
            oifname "transit" masquerade
        }
    }' || skip "the kernel has no NAT"
}

# The node goes to the link behind a router.
visit_link() { # visit_link 1
    local coa=COA$1
    plug "$1a"
    in_ns mn ip -4 address flush dev eth0
    in_ns mn ip address add "${!coa}/24" dev eth0
    in_ns mn ip route replace default via "10.0.$1.1"
}

mn_start() { # mn_start [more of mipv4] [more of authentication]
    mn_run <<END
[mipv4]
home_agent = "$LMA_IPV4"
home_address = "$HOME_IPV4"
mn_id = "$MN_ID"
ipv6 = ["$NODE_IPV6/${NETWORK#*/}"]
${1:-}
[authentication]
spi = 256
key_file = "mn1.key"
${2:-}
END
}

TRAFFIC_CLASS=0xba # expedited, and capable of ECN
# The node reaches the correspondent and is reached, by both families.
both_ways() {
    expect "the node reaches cn by IPv4" in_ns mn ping -Q $TRAFFIC_CLASS -c 2 -i 0.2 -W 2 $CN_IPV4
    expect "cn reaches the node by IPv4" in_ns cn ping -Q $TRAFFIC_CLASS -c 2 -i 0.2 -W 2 $HOME_IPV4
    expect "the node reaches cn by IPv6" in_ns mn ping -Q $TRAFFIC_CLASS -c 2 -i 0.2 -W 2 $CN
    expect "cn reaches the node by IPv6" in_ns cn ping -Q $TRAFFIC_CLASS -c 2 -i 0.2 -W 2 $NODE_IPV6
}

# What stands before each kind of echoes to and from where the node is, as tshark says: "to 128 ip:ipv6". In UDP it has IPv4's dissector
# hand IPv6 on to the right one, and names both; and it does not know RFC 5555, whose port has IP behind it.
headers() { # headers capture address
    tshark -n -d udp.port==4191,ip -r "$RUN/$1.pcap" -Y "icmp.type in {0, 8} && !(icmp.type == 3) || icmpv6.type in {128, 129}" -T fields \
        -e ip.src -e icmp.type -e icmpv6.type -e frame.protocols 2>/dev/null |
        sed 's/eth:ethertype://; s/:icmp\(v6\)\?\(:data\)\?$//; s/udp:ip:ipv6/udp:ipv6/; s/mip:ip:ipv6/mip:ipv6/' |
        awk -F'\t' -v node="$2" '{ split($1, source, ","); print (source[1] == node ? "from" : "to"), $2 $3, $4 }' | sort -u
}

# All four kinds, of both families, both ways, have these headers.
carried_in() { # carried_in capture address headers-of-ipv4 headers-of-ipv6
    local way
    equal "headers, $1" "$(headers "$1" "$2")" "$(for way in from to; do
        printf '%s\n' "$way 0 $3" "$way 128 $4" "$way 129 $4" "$way 8 $3"
    done)"
}
