#!/bin/bash
# A registration of Mobile IPv4 with an IPv6 prefix outlives kill -9 of anchord, with the traffic of both families, and what was sent
# before is not taken again. Then the operator: out of service and back, a node that the file names no more, binding del.
# proves: DSMIP4-3.3.2-2, DSMIP4-3.3.2-3
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
mip4_config

lab_up
visit4
anchord_start
tunnel4_from "${CARE_OF_IPV4[0]}" --address $NODE_IPV6 --to-home
answered 1 "${CARE_OF_IPV4[0]}" --prefix $NETWORK --prefix 2001:db8:9100::/56
equal "what is said of the prefixes" "$(jq -c '[.prefixes[] | [.code, .prefix]]' <<<"$reply")" "[[0,\"$NETWORK\"],[9,\"2001:db8:9100::/56\"]]"
sent=$(jq -r .sent <<<"$reply")
expect "cn reaches the node by IPv4" reached4
expect "cn reaches its network by IPv6, in two tunnels" reached6

stop anchord KILL || true
anchord_start
expect "the registration was kept" care_ofs_are "${CARE_OF_IPV4[0]}"
equal "with its prefix" "$(mip4_binding '.[0].hnp[0]')" $NETWORK
eventually "cn reaches the node by IPv4 again" reached4
eventually "and its network by IPv6" reached6
answered 133 "${CARE_OF_IPV4[0]}" --id "$sent" --lifetime 0

ctl node drain >/dev/null
answered 129 "${CARE_OF_IPV4[0]}"
expect "what is registered stays" reached4
ctl node serve >/dev/null
answered 1 "${CARE_OF_IPV4[0]}" --prefix $NETWORK

sed -i "s/^$MN_ID,.*/mn9@example.org,,,,,,,,,,,,256:other.key/" "$RUN/nodes.csv"
ctl config reload >/dev/null
equal "code for a node that is named no more" "$(rrq "${CARE_OF_IPV4[0]}" --wait 0.5 | jq .code)" null
equal "code for one that is named now" \
    "$(rrq "${CARE_OF_IPV4[1]}" --nai mn9@example.org --key "$RUN/other.key" --home 0.0.0.0 | jq .code)" 1
expect "what is registered stays" reached6
ctl binding del "$MN_ID" >/dev/null
expect "no registration is left" no_binding
expect "cn does not reach the node" unreached4
