#!/bin/bash
# A routing daemon beside anchord advertises the pools to the core, over anchord's own port: the
# correspondent has no route to nodes but the one it learns by BGP. It goes with anchord.
# proves: PMIP6-5.6.2-2, PMIP4-3.1.3-1
LAB_IPV4=1
. "$(dirname "$0")/_init.sh"

bird_start() { # bird_start ns router-id as neighbor neighbor-as < protocols
    {
        printf 'log "%s" all; router id %s; protocol device {}\n' "$RUN/bird-$1.log" "$2"
        cat
        echo "protocol bgp peer { local as $3; neighbor $4 as $5; hold time 3; keepalive time 1; connect retry time 1; error wait time 1, 2;
            ipv6 { import all; export all; next hop self; };
            ipv4 { import all; export all; extended next hop; }; }"
    } >"$RUN/bird-$1.conf"
    start "bird-$1" "$1" bird -f -c "$RUN/bird-$1.conf" -s "$RUN/bird-$1.ctl"
}

learned() { in_ns cn ip -6 route show proto bird | grep -q "^$POOL via .* dev eth0" &&
    in_ns cn ip route show proto bird | grep -q "^$POOL_IPV4 via inet6 .* dev eth0"; }
unlearned() { [[ -z $(in_ns cn ip -6 route show proto bird; in_ns cn ip route show proto bird) ]]; }
in_table() { in_ns anchor ip "$1" route show table 213 | grep -q "^$2 dev core proto 213"; }

lab_up
in_ns cn ip -6 route del default
in_ns cn ip route del default
anchord_start
mag_start 1
attach 1a
expect "the pool is in the kernel's table" eventually "the route is there" in_table -6 $POOL
expect "the pool of IPv4 is, too" in_table -4 $POOL_IPV4
reaches && fail "cn answers without a route"
bird_start anchor 10.0.0.1 65001 $CN_LINK 65002 <<'BIRD'
protocol kernel { kernel table 213; learn; ipv6 { import all; export none; }; }
protocol kernel { kernel table 213; learn; ipv4 { import all; export none; }; }
BIRD
bird_start cn 10.0.0.2 65002 $ANCHOR_CORE 65001 <<'BIRD'
protocol kernel { ipv6 { import none; export all; }; }
protocol kernel { ipv4 { import none; export all; }; }
BIRD
eventually "cn has learnt the pools" learned
eventually "the node reaches cn" reaches
stop anchord TERM
eventually "cn has forgotten the pools" unlearned
anchord_start
eventually "cn has learnt the pools again" learned
stop anchord KILL || true
eventually "cn has forgotten the pools of an anchord that was killed" unlearned
