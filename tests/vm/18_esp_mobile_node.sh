# shellcheck shell=bash
# A mobile node whose binding updates are in ESP, by a security association of its home address (RFC 6275 5.1): both kernels
# do ESP, the Home Address option and the type 2 routing header. It registers, moves, asks for the prefixes of its home link, is told to
# look for another home agent, and ends its binding; what is in the clear is not done; no message is in the clear.
# proves: MIP6-10.3.1-2, MIP6-10.3.1-10, MIP6-6.7-2, MIP6-6.8-3, MIP6-10.6.3-5, HASWITCH-5.1-6, HASWITCH-10-1
# shellcheck source=tests/smoke/_home.sh
. tests/smoke/_home.sh
# shellcheck source=tests/vm/_esp.sh
. tests/vm/_esp.sh
# shellcheck source=tests/vm/_mip6.sh
. tests/vm/_mip6.sh
OTHER_HOME=2001:db8:100:8::8
MAG1=${ESP_ADDRESSES[0]} MAG2=${ESP_ADDRESSES[1]}
CARE_OF=("$MAG1" 2001:db8:a::31)
SOLICITATION=9200000062750000

esp_lab
home_agent_config
echo "$MN_ID,,,,,,,,,$HOME_ADDRESS,,esp
$MN2_ID,,,,,,,,,$OTHER_HOME,,esp" | put "$RUN/nodes.csv"
LAB_HUGEPAGES=false anchord_config | put "$RUN/anchord.toml"
guest "mkdir -p $RUN/state && ip -n gw1 address add ${CARE_OF[1]}/64 dev transit nodad &&
    ip -n gw1 address add $HOME_ADDRESS/128 dev lo home nodad"
sa "$HOME_ADDRESS" $LMA 0x1101 $AUTH anchor gw1
sa $LMA "$HOME_ADDRESS" 0x1102 $AUTH anchor gw1
policy $LMA "$HOME_ADDRESS" 0x11 out anchor
selector="proto 58" sa "$HOME_ADDRESS" $LMA 0x1103 $AUTH anchor gw1
selector="proto 58" sa $LMA "$HOME_ADDRESS" 0x1104 $AUTH anchor gw1
selector="proto 58 type 147" policy $LMA "$HOME_ADDRESS" 0x11 out anchor
# Of which care-of address is the control core's business.
guest "ip -n anchor xfrm state add src $HOME_ADDRESS dst $LMA proto hao mode ro coa ::"
guest "ip netns exec anchor anchord --config $RUN/anchord.toml >$RUN/anchord.log 2>&1 &"
eventually "anchord's control core answers" ctl port show
# To the home address the kernel has a way, too; which one, does not matter.
guest "ip -n anchor -6 route replace default via $MAG2 dev access"

at() { # at care-of
    guest "ip -n gw1 xfrm policy flush; ip -n gw1 xfrm state deleteall proto hao; ip -n gw1 xfrm state deleteall proto route2"
    mip6_states gw1 $LMA "$1"
    mip6_policies gw1 $LMA proto 135
    mip6_policies gw1 $LMA proto 58
}
asks_for_prefixes() { # the advertisement
    guest "ip netns exec gw1 python3 -I -S /exchange.py icmp $HOME_ADDRESS $LMA $SOLICITATION"
}

template="tmpl proto esp reqid 0x11 mode transport"
capture esp switch guest1 "ip6 host $LMA"
at "${CARE_OF[0]}"
equal "status" "$(exchange gw1 "$(update_of "${CARE_OF[0]}" 1 --lifetime 600)")" 0
expect "it is away" away_at "${CARE_OF[0]}"
at "${CARE_OF[1]}"
equal "status at the second link" "$(exchange gw1 "$(update_of "${CARE_OF[1]}" 2 --lifetime 600)")" 0
expect "it has moved" away_at "${CARE_OF[1]}"
equal "status of an old number" "$(exchange gw1 "$(update_of "${CARE_OF[1]}" 2)")" 135
advertisement=$(asks_for_prefixes)
equal "type and identifier of the advertisement" "${advertisement:0:4} ${advertisement:8:4}" "9300 6275"
equal "its prefix" "${advertisement:48:12}" 20010db80100
ctl node drain >/dev/null
eventually "the node is told to look for another home agent" counted home_agent_switch_sent 1
ctl node serve >/dev/null
captured esp
equal "messages in the clear" "$(count_frames esp 'mipv6 || icmpv6.type == 146 || icmpv6.type == 147')" 0
at_least "solicitations in ESP behind a Home Address option" "$(opened_count esp "esp && ipv6.opt.type == 0xc9 && icmpv6.type == 146")" 1
at_least "advertisements in ESP behind a type 2 routing header" "$(opened_count esp "esp && ipv6.routing.type == 2 && icmpv6.type == 147")" 1
at_least "Home Agent Switch in ESP inside of the tunnel" \
    "$(opened_count esp "esp && ipv6.dst == ${CARE_OF[1]} && ipv6.dst == $HOME_ADDRESS && !(ipv6.routing.type == 2) && mip6.mhtype == 12")" 1
at_least "updates in ESP behind a Home Address option" "$(count_frames esp "esp && ipv6.dst == $LMA && ipv6.opt.type == 0xc9")" 3
at_least "answers in ESP behind a type 2 routing header" "$(count_frames esp "esp && ipv6.src == $LMA && ipv6.routing.type == 2")" 3

# In the clear: nothing is answered, nothing is done.
ignored=$(counter home_ignored)
template=''
at "${CARE_OF[0]}"
exchange gw1 "$(update_of "${CARE_OF[0]}" 7)" && fail "it is answered"
eventually "it is discarded" counted home_ignored $((ignored + 1))
expect "it is where it was" away_at "${CARE_OF[1]}"
at "${CARE_OF[1]}"
asks_for_prefixes && fail "a question for prefixes is answered"
eventually "it is discarded, too" counted home_ignored $((ignored + 2))

# The end.
template="tmpl proto esp reqid 0x11 mode transport"
at "${CARE_OF[1]}"
equal "status of the end" "$(exchange gw1 "$(update_of "${CARE_OF[1]}" 3 --lifetime 0)")" 0
eventually "no binding is left" no_binding
