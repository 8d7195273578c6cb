#!/bin/bash
# A node of Mobile IPv4 behind a foreign agent that a script plays: IPv4 in the agent's tunnel, IPv6 inside of it to the home address
# (RFC 5454 3.3.2). Its binding is revoked (RFC 3543): by the operator, told again until the agent acknowledges it, and by the agent.
# proves: DSMIP4-3.3.2-2, DSMIP4-3.3.2-3
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
. tests/smoke/_mobile4.sh
MIP4="[[mip4.foreign_agent]]
address = '$MAG1_IPV4'
auth = [{ spi = 300, key_file = 'agent.key' }]"
mip4_config
key "$RUN/agent.key" 3c

registers_through() { # registers_through lifetime
    answered 1 "$MAG1_IPV4" --from $HOME_IPV4 --agent 10.0.1.1 --home-agent $LMA_IPV4 --flags T --prefix $NETWORK --lifetime "$1"
    equal "the prefix" "$(jq -c '.prefixes' <<<"$reply")" "[{\"code\":0,\"prefix\":\"$NETWORK\"}]"
}
agent_heard() { jq -c "$1" <(grep '^{' "$RUN/agent.log"); } # agent_heard jq-expression
heard() { (($(agent_heard "select($1)" | wc -l) >= $2)); }  # heard jq-condition times

lab_up
links_up
anchord_start
in_ns mag1 sysctl -qw net.ipv4.conf.{all,default}.rp_filter=0
start agent mag1 tests/lab/foreign_agent.py --link 10.0.1.1 --interface access0 --care-of $MAG1_IPV4 --agent $LMA_IPV4 --spi 300 \
    --key "$RUN/agent.key"
eventually "the foreign agent is there" grep -q ready "$RUN/agent.log"
plug 1a
address mn eth0 $HOME_IPV4/32
in_ns mn ip route add 10.0.1.1 dev eth0
in_ns mn ip route add default via 10.0.1.1 src $HOME_IPV4
tunnel4_from $HOME_IPV4 --address $NODE_IPV6

registers_through 600
equal "what the agent was told" "$(agent_heard .)" "{\"reply\":1,\"revocation\":true,\"home\":\"$HOME_IPV4\",\"authentic\":true}"
equal "the binding" "$(mip4_binding '.[0] | "\(.proxy_coa) \(.flags)"')" "$MAG1_IPV4 T"
capture access anchor access-dpdk
expect "the node reaches cn" reaches4
expect "cn reaches the node" reached4
expect "cn reaches its network" reached6
expect "the node reaches cn by IPv6" in_ns mn ping -c 1 -W 1 -I $NODE_IPV6 $CN
captured access
equal "headers of IPv4" "$(frames access "icmp.type == 8" ip.src ip.dst | sort)" \
    "$LMA_IPV4,$CN_LINK_IPV4"$'\t'"$MAG1_IPV4,$HOME_IPV4"$'\n'"$MAG1_IPV4,$HOME_IPV4"$'\t'"$LMA_IPV4,$CN_IPV4"
equal "headers of IPv6" "$(frames access "icmpv6.type == 128" ip.src ip.dst | sort)" \
    "$LMA_IPV4,$LMA_IPV4"$'\t'"$MAG1_IPV4,$HOME_IPV4"$'\n'"$MAG1_IPV4,$HOME_IPV4"$'\t'"$LMA_IPV4,$LMA_IPV4"

ctl binding del "$MN_ID" >/dev/null
expect "cn does not reach the node" unreached4
eventually "the agent is told twice, for it acknowledges the second" heard '.revoked and .authentic' 2
eventually "the anchor has heard it" counted mip4_revoked 1
expect "no registration is left" no_binding

registers_through 600
expect "cn reaches the node again" reached4
kill -USR1 "${daemon[agent]}"
eventually "the anchor acknowledges the agent's revocation" heard '.acknowledged and .authentic' 1
expect "no registration is left" no_binding
expect "cn does not reach the node" unreached4
