#!/bin/bash
# Two customers whose nodes have the same private IPv4 address at the same gateway: GRE keys tell them
# apart, and each leaves by a VLAN of its own. The kernel has no VLANs here: scapy looks at the tags.
. "$(dirname "$0")/_init.sh"
LAB_IPV4=yes

customer() { # customer name id vlan
    cat <<END
[[customer]]
name = "$1"
id = $2
realms = ["$1.example"]
gre = "required"

[[pool]]
name = "$1-pool"
customer = "$1"
prefix = "10.0.0.0/24"

[[port]]
name = "$1"
parent = "core"
vlan = $3
customer = "$1"
addresses = ["10.255.0.1/30"]

END
}
ANCHORD_MORE=$(customer acme 1 100 && customer beta 7 200)
lab_up
anchord_start
cn_mac=$(in_ns cn cat /sys/class/net/eth0/address)
for name in acme beta; do
    in_ns anchor ip neigh replace 10.255.0.2 lladdr "$cn_mac" dev $name nud permanent
    in_ns anchor ip route add 10.9.0.0/16 via 10.255.0.2 dev $name table "$([[ $name == acme ]] && echo 11 || echo 12)"
done
pbu() { in_ns mag1 tests/lab/pbu.py --src $MAG1 --dst $LMA --prefix "" --ipv4 0.0.0.0/0 "$@"; }

equal "status without a key" "$(pbu --mn-id mn@acme.example | jq .status)" 163
acme=$(pbu --seq 2 --mn-id mn@acme.example --gre-key 71)
beta=$(pbu --mn-id mn@beta.example --gre-key 72)
equal "acme's status" "$(jq .status <<<"$acme")" 0
equal "beta's status" "$(jq .status <<<"$beta")" 0
home=$(jq -r .ipv4 <<<"$acme")
equal "beta's address" "$(jq -r .ipv4 <<<"$beta")" "$home"
equal "customers that are shown" "$(ctl customer show | jq -c '[.[] | [.name, .bindings]]')" '[["acme",1],["beta",1]]'
equal "acme's bindings" "$(ctl binding show --customer acme | jq -r '.[].mn_id')" mn@acme.example

start correspondents cn tests/lab/vlan_echo.py eth0
eventually "the correspondents listen" grep -q listening "$RUN/correspondents.log"
for name in acme beta; do
    vlan=$([[ $name == acme ]] && echo 100 || echo 200)
    down=$([[ $name == acme ]] && echo 71 || echo 72)
    key=$(jq .gre_key <<<"${!name}")
    capture "$name" cn eth0 "vlan $vlan and ip"
    equal "$name's ping through its VLAN" "$(in_ns mag1 tests/lab/echo.py --src $MAG1 --dst $LMA --encap gre \
        --uplink-key "$key" --downlink-key "$down" --inner-src "${home%/*}" --inner-dst 10.9.0.1)" answered
    captured "$name"
    equal "$name's packets on its VLAN" "$(frames "$name" 'icmp.type == 8' vlan.id ip.src)" "$vlan	${home%/*}"
    equal "packets down of $name" "$(binding '.counters[0].downlink_packets' "mn@$name.example")" 1
done
# Of the operator's own addresses none is a customer's.
before=$(drops not_anchored)
in_ns cn ping -c 1 -W 1 -I $CN_LINK_IPV4 "${home%/*}" && fail "the operator's network reaches a customer's node"
equal "packets without a tag that were dropped" $(($(drops not_anchored) - before)) 1
