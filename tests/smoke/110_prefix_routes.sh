#!/bin/bash
# What nodes hold outside of all pools, the IPv6 network of a node of Mobile IPv4, stands in the kernel's table for routing daemons as
# long as it is registered: not before, not after, not while anchord is dead, and again after kill -9 and a restart. A reload leaves it.
# proves: DSMIP4-3.3.1-1
. "$(dirname "$0")/_init.sh"
. tests/smoke/_mip4.sh
mip4_config

routes() { in_ns anchor ip -6 route show table 213 | sort; }
has_route() { routes | grep -q "^$NETWORK dev core proto 213"; }
has_none() { ! routes | grep -q "^$NETWORK"; }
has_pool() { routes | grep -q "^$POOL dev core proto 213"; }
is_empty() { [[ -z $(routes) ]]; }

lab_up
visit4
anchord_start
eventually "the pool is in the table" has_pool
expect "a network that nobody has registered is not" has_none
answered 1 "${CARE_OF_IPV4[0]}"
expect "nor with the address alone" has_none
answered 1 "${CARE_OF_IPV4[0]}" --prefix $NETWORK
eventually "the network is in the table" has_route
answered 1 "${CARE_OF_IPV4[1]}" --prefix $NETWORK
ctl config reload >/dev/null
expect "it moved, and the configuration was read again" has_route

stop anchord KILL || true
eventually "a dead anchord advertises nothing" is_empty
anchord_start
eventually "the network is in the table again" has_route
expect "and the pool" has_pool

answered 1 "${CARE_OF_IPV4[1]}"
eventually "without the network in the request its route is gone" has_none
answered 1 "${CARE_OF_IPV4[1]}" --prefix $NETWORK
eventually "with it, it is there" has_route
answered 1 "${CARE_OF_IPV4[1]}" --lifetime 0
eventually "it is gone with the registration" has_none
stop anchord TERM || fail "anchord ended with status $?"
eventually "all are gone with anchord" is_empty
