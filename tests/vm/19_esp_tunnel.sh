# shellcheck shell=bash
# Mobile nodes whose tunnel is in ESP (RFC 6275 10.4.6), with AES-CBC and HMAC-SHA-256: of the first return routability alone, of the
# second everything. Both kernels do ESP in tunnel mode; the anchor's association ends at the home address, and anchord sends what it
# makes to where the node is, from the update on that it accepted. Updates are in transport mode as before, other traffic of the first is
# as it is, and what has to be in ESP is nowhere in the clear: neither without policies, nor from a node that leaves it out.
# proves: MIP6-8.4-13, MIP6-10.4.6-1, MIP6-10.4.6-2, MIP6-10.4.6-3, MIP6-10.4.6-5, MIP6-10.4.2-8, MIP6-6.1.3-3
# proves: HASWITCH-5.1-6, HASWITCH-10-1
# shellcheck source=tests/smoke/_home.sh
. tests/smoke/_home.sh
# shellcheck source=tests/vm/_esp.sh
. tests/vm/_esp.sh
# shellcheck source=tests/vm/_mip6.sh
. tests/vm/_mip6.sh
HOMES=("$HOME_ADDRESS" 2001:db8:100:8::8) # of the nodes in gw1 and in gw2
CARE_OF=("${ESP_ADDRESSES[0]}" 2001:db8:a::31)
HOME_TEST_INIT=3b01010000000000a1a2a3a4a5a6a7a8
TOKEN=${AUTH:0:16} # keygen token
HOME_TEST=3b0203000007${HOME_TEST_INIT:16}$TOKEN # but for its checksum

case_down() {
    guest 'for p in $(ip netns pids anchor; ip netns pids correspondent); do kill -9 $p; done; sleep 1;
        ip -n anchor link set access-dpdk netns 1 name eth1;
        ip -n gw1 link set transit netns 1 name eth2; ip -n gw2 link set transit netns 1 name eth3;
        for n in anchor gw1 gw2 correspondent; do ip netns del $n; done' || true # not all was there
}

# A security association in tunnel mode, of packets with this selector.
tunnel_sa() { # tunnel_sa namespace source destination spi selector [further]
    guest "ip -n $1 xfrm state add src $2 dst $3 proto esp spi $4 reqid ${4:0:4} mode tunnel replay-window 32 ${*:6}
        auth-trunc hmac'(sha256)' 0x$AUTH 128 enc cbc'(aes)' 0x$ENC sel $5"
}
tunnel_policy() { # tunnel_policy namespace source destination reqid in|out|fwd selector
    guest "ip -n $1 xfrm policy add $6 dir $5 priority 10 tmpl src $2 dst $3 proto esp reqid $4 mode tunnel"
}

# What the anchor's kernel is told of node n, once: its tunnel is that to the home address, wherever it is. In transport mode both
# kernels have the same.
anchor_of() { # anchor_of n [proto 135]
    local home=${HOMES[$1 - 1]}
    guest "ip -n anchor xfrm state add src $home dst $LMA proto hao mode ro coa ::"
    sa "$home" $LMA 0x1${1}01 $AUTH anchor "gw$1"
    sa $LMA "$home" 0x1${1}02 $AUTH anchor "gw$1"
    guest "ip -n anchor xfrm policy add src $LMA dst $home proto 135 type 6 dir out tmpl src $LMA dst $home proto esp reqid 0x1$1 mode transport"
    tunnel_sa anchor $LMA "$home" 0x1${1}06 "src ::/0 dst $home/128"
    tunnel_sa anchor "$home" $LMA 0x1${1}05 "src $home/128 dst ::/0"
    tunnel_policy anchor $LMA "$home" 0x1$1 out "src ::/0 dst $home/128 ${*:2}"
    tunnel_policy anchor "$home" $LMA 0x1$1 fwd "src $home/128 dst ::/0 ${*:2}"
}

# What the kernel of node n does from now on, at this care-of address.
node_at() { # node_at n care-of [proto 135]
    local ns=gw$1 home=${HOMES[$1 - 1]} esp="tmpl proto esp reqid 0x1$1 mode transport"
    guest "ip -n $ns xfrm policy flush; ip -n $ns link del tunnel; ip -n $ns xfrm state deleteall mode tunnel;
        ip -n $ns xfrm state deleteall proto hao; ip -n $ns xfrm state deleteall proto route2"
    HOME_ADDRESS=$home mip6_states "$ns" $LMA "$2"
    guest "ip -n $ns xfrm policy add src $home dst $LMA proto 135 type 5 dir out tmpl src $home dst $LMA proto hao mode ro $esp &&
        ip -n $ns xfrm policy add src $LMA dst $home proto 135 type 6 dir in $esp tmpl src $LMA dst $home proto route2 mode ro"
    # It goes on counting where it was: what the anchor has seen of it, it does not take again.
    oseq=$((oseq + 1000))
    tunnel_sa "$ns" "$2" $LMA 0x1${1}05 "src $home/128 dst ::/0" replay-oseq $oseq
    tunnel_sa "$ns" $LMA "$2" 0x1${1}06 "src ::/0 dst $home/128"
    tunnel_policy "$ns" "$2" $LMA 0x1$1 out "src $home/128 dst ::/0 ${*:3}"
    tunnel_policy "$ns" $LMA "$2" 0x1$1 in "src ::/0 dst $home/128 ${*:3}"
    guest "ip -n $ns link add tunnel type ip6tnl mode any local $2 remote $LMA encaplimit none &&
        ip -n $ns link set tunnel up && ip -n $ns -6 route replace default dev tunnel src $home"
}
oseq=0

registers_at() { # registers_at n care-of seq [argument of bu.py ...]
    local -a names=("$MN_ID" "$MN2_ID")
    equal "status of node $1" \
        "$(HOME_ADDRESS=${HOMES[$1 - 1]} MN_ID=${names[$1 - 1]} eval 'exchange "gw$1" "$(update_of "${@:2}")"')" 0
}

# Return routability by the tunnel: the Home Test that the correspondent sends back.
home_test() { # home_test
    guest "ip netns exec gw1 python3 -I -S /exchange.py home-test ${HOMES[0]} $CN $HOME_TEST_INIT"
}

pings() { # pings from-namespace source destination
    in_guest "$1" "ping -c $PINGS -i 0.2 -W 3 -I $2 $3" >&2 || fail "$3 does not answer $2"
}

esp_lab
home_agent_config
echo "$MN_ID,,,,,,,,,${HOMES[0]},,esp:return-routability
$MN2_ID,,,,,,,,,${HOMES[1]},,esp:all" | put "$RUN/nodes.csv"
LAB_HUGEPAGES=false anchord_config | put "$RUN/anchord.toml"
guest "mkdir -p $RUN/state && ip netns add correspondent && ip -n anchor link set core-peer netns correspondent name eth0 &&
    ip -n correspondent link set lo up && ip -n correspondent link set eth0 up &&
    ip netns exec correspondent sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 net.ipv6.conf.eth0.accept_dad=0 &&
    ip -n correspondent address add $CN_LINK/64 dev eth0 nodad && ip -n correspondent address add $CN/128 dev lo nodad &&
    ip -n correspondent -6 route add default via $ANCHOR_CORE"
guest "ip -n gw1 address add ${CARE_OF[1]}/64 dev transit nodad &&
    ip -n gw1 address add ${HOMES[0]}/128 dev lo home nodad && ip -n gw2 address add ${HOMES[1]}/128 dev lo home nodad &&
    ip netns exec anchor sysctl -qw net.ipv6.conf.all.forwarding=1"
anchor_of 1 proto 135
anchor_of 2
guest "ip netns exec anchor anchord --config $RUN/anchord.toml >$RUN/anchord.log 2>&1 &"
eventually "anchord's control core answers" ctl port show
# The kernel needs a way to home addresses; which one, does not matter.
guest "ip -n anchor -6 route replace default via $CN_LINK dev core && ip -n anchor -6 route replace $POOL via $MAG2 dev access"
guest "ip netns exec correspondent python3 -I -S /exchange.py correspondent $CN $TOKEN >$RUN/tests.log 2>&1 &"

# Return routability in ESP, at two care-of addresses; pings of the same node are not.
capture esp switch guest1 "ip6 host $LMA"
for n in 0 1; do
    node_at 1 "${CARE_OF[n]}" proto 135
    registers_at 1 "${CARE_OF[n]}" $((n + 1)) --lifetime 600
    equal "the Home Test at ${CARE_OF[n]}" "$(home_test | cut -c1-8,13-)" "$HOME_TEST"
    pings gw1 "${HOMES[0]}" $CN
    pings correspondent $CN "${HOMES[0]}"
done
equal "tests that the correspondent was asked for" "$(guest cat "$RUN/tests.log")" "${HOMES[0]}"$'\n'"${HOMES[0]}"
captured esp
equal "Mobility Headers in the clear" "$(count_frames esp mipv6)" 0
equal "what of ESP is not what its keys say" "$(opened esp 'esp && !(esp.icv_good == 1)')" ""
for care_of in "${CARE_OF[@]}"; do
    at_least "updates in transport mode from $care_of" \
        "$(opened_count esp "ipv6.src == $care_of && ipv6.opt.type == 0xc9 && esp && mip6.mhtype == 5")" 1
    at_least "answers in transport mode to $care_of" \
        "$(opened_count esp "ipv6.dst == $care_of && ipv6.routing.type == 2 && esp && mip6.mhtype == 6")" 1
    equal "Home Test Inits in tunnel mode from $care_of" \
        "$(opened_count esp "ipv6.src == $care_of && ipv6.dst == $LMA && ipv6.src == ${HOMES[0]} && ipv6.dst == $CN && esp && mip6.mhtype == 1")" 1
    equal "Home Tests in tunnel mode to $care_of" \
        "$(opened_count esp "ipv6.src == $LMA && ipv6.dst == $care_of && ipv6.src == $CN && ipv6.dst == ${HOMES[0]} && esp && mip6.mhtype == 3")" 1
    at_least "pings in the plain tunnel from $care_of" \
        "$(count_frames esp "ipv6.src == $care_of && ipv6.src == ${HOMES[0]} && icmpv6.type == 128")" $PINGS
    at_least "pings in the plain tunnel to $care_of" \
        "$(count_frames esp "ipv6.dst == $care_of && ipv6.dst == ${HOMES[0]} && icmpv6.type == 128")" $PINGS
done

# The node leaves ESP out: it is not forwarded.
capture bare switch guest1 "ip6 host $LMA"
guest "ip -n gw1 xfrm policy delete src ${HOMES[0]}/128 dst ::/0 proto 135 dir out"
dropped=$(drops unprotected)
home_test && fail "a Home Test Init in the plain tunnel is answered"
equal "packets of the plain tunnel that should be in ESP" $(($(drops unprotected) - dropped)) 1
equal "tests that the correspondent was asked for" "$(guest cat "$RUN/tests.log" | wc -l)" 2
node_at 1 "${CARE_OF[1]}" proto 135

# The anchor's kernel has no policy: the Home Test does not leave.
guest "ip -n anchor xfrm policy delete src ::/0 dst ${HOMES[0]}/128 proto 135 dir out"
unprotected=$(counter kernel_unprotected)
home_test && fail "a Home Test leaves without ESP"
equal "Home Tests that the kernel did not protect" $(($(counter kernel_unprotected) - unprotected)) 1
tunnel_policy anchor $LMA "${HOMES[0]}" 0x11 out "src ::/0 dst ${HOMES[0]}/128 proto 135"
captured bare
equal "Home Tests in the clear" "$(count_frames bare 'mip6.mhtype == 3')" 0

# Of the other node everything is in ESP; of the first as before. Then the first is asked to refresh its binding, and both are told to go.
capture all switch guest1 "ip6 host $LMA"
node_at 2 "$MAG2"
registers_at 2 "$MAG2" 1 --lifetime 600
pings gw2 "${HOMES[1]}" $CN
pings correspondent $CN "${HOMES[1]}"
pings correspondent $CN "${HOMES[0]}"
registers_at 1 "${CARE_OF[1]}" 3 --lifetime 16
eventually "node 1 is asked to refresh its binding" counted refresh_request_sent 1
registers_at 1 "${CARE_OF[1]}" 4 --lifetime 600
ctl node drain >/dev/null
eventually "both nodes are told to go" counted home_agent_switch_sent 2
captured all
# tshark 4.0 misreads Home Agent Switch, and gets no further.
equal "what of ESP is not what its keys say" "$(opened all 'esp && !(esp.icv_good == 1) && !(mip6.mhtype == 12)')" ""
equal "packets of node 2 in the clear" "$(count_frames all "icmpv6 && ipv6.addr == ${HOMES[1]}")" 0
at_least "packets of node 1 in the clear" "$(count_frames all "icmpv6 && ipv6.addr == ${HOMES[0]}")" $((2 * PINGS))
at_least "packets from node 2 in ESP" \
    "$(opened_count all "esp && ipv6.src == $MAG2 && ipv6.src == ${HOMES[1]} && ipv6.dst == $CN && icmpv6")" $((2 * PINGS))
at_least "packets to node 2 in ESP" \
    "$(opened_count all "esp && ipv6.dst == $MAG2 && ipv6.dst == ${HOMES[1]} && ipv6.src == $CN && icmpv6")" $((2 * PINGS))
# That nobody listens there, the kernel of node 1 says in an error of its own, which its policies leave alone.
equal "Mobility Headers in the clear" "$(count_frames all 'mipv6 && !icmpv6')" 0
at_least "requests to refresh, in the tunnel's ESP" \
    "$(opened_count all "esp && ipv6.dst == ${CARE_OF[1]} && ipv6.dst == ${HOMES[0]} && mip6.mhtype == 0")" 1
for n in 1 2; do
    care_of=("${CARE_OF[1]}" "$MAG2")
    at_least "Home Agent Switch to node $n, in the tunnel's ESP" \
        "$(opened_count all "esp && ipv6.dst == ${care_of[n - 1]} && ipv6.dst == ${HOMES[n - 1]} && mip6.mhtype == 12")" 1
done
