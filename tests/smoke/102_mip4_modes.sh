#!/bin/bash
# The ways of Mobile IPv4 to carry both families: in IP, in GRE and in UDP through a NAT's port, IPv6 beside IPv4 to the care-of
# address or inside of it to the home address. Sources that are not the node's are dropped, and the log tells of them.
# proves: DSMIP4-3.3.2-4, DSMIP4-3.3.2-5, DSMIP4-3.9-2, DSMIP4-4-3, MIP4-4.2.3-7
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
MIP4='nat_forced = true'
MIP4_NODE=256:mn1.key:hmac-sha-256
mip4_config
PORT=40434
care_of=${CARE_OF_IPV4[0]}

lab_up
visit4
anchord_start
capture access anchor access-dpdk
for encap in ip gre udp; do
    case $encap in
    ip) flags=DT asked=() ;;
    gre) flags=DGT asked=() ;;
    udp) flags=DT asked=(--udp-tunnel F --port "$PORT") ;;
    esac
    for mode in to-home to-care-of; do
        code=0 more=(--to-home)
        [[ $mode == to-home ]] || { code=1 more=() && asked+=(--tunneling-mode); }
        [[ -z ${daemon[tunnel]:-} ]] || stop tunnel || true
        answered 1 "$care_of" --algorithm hmac-sha-256 --flags "$flags" --prefix $NETWORK "${asked[@]}"
        equal "code of the prefix in $encap $mode" "$(jq '.prefixes[0].code' <<<"$reply")" $code
        tunnel4_from "$care_of" --encap "${encap/udp/udp:$PORT}" --address $NODE_IPV6 "${more[@]}"
        expect "cn reaches the node in $encap" reached4
        expect "cn reaches its network in $encap $mode" reached6
        expect "the node reaches cn in $encap $mode" in_ns mn ping -c 1 -W 1 -I $NODE_IPV6 $CN
    done
done
equal "UDP port of the tunnel" "$(mip4_binding '.[0] | "\(.encapsulation) \(.udp_port)"')" "udp-434 $PORT"
captured access
for what in "ip.proto == 4 && ipv6 && ip.src == $LMA_IPV4" "gre && ip.dst == $HOME_IPV4" "gre.proto == 0x86dd" \
    "udp.srcport == 434 && udp.dstport == $PORT"; do
    at_least "packets with $what" "$(count_frames access "$what")" 1
done

in_ns mn ip address add 198.51.100.99/32 dev lo
in_ns mn ping -c 1 -W 0.3 -I 198.51.100.99 $CN_IPV4 && fail "a packet with another's address came through"
equal "security exceptions" "$(drops reverse_tunnel)" 1
eventually "the log tells of it" grep -q "security exception.*198.51.100.99" "$RUN/anchord.log"
