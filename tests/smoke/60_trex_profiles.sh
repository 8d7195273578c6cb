#!/bin/bash
# What perf/trex does with TRex, done by a stand-in for TRex that sends from packet sockets: its updates
# register every node, its packets are forwarded for every node both ways, and the addresses of its
# plan are those that the anchor has given out.
# alone
. "$(dirname "$0")/_init.sh"
NODES=200 MAGS=16

/usr/bin/python3 -c 'import scapy.layers.inet6' 2>/dev/null || skip "scapy is missing"
lab_namespaces=(anchor tester)
for ns in "${lab_namespaces[@]}"; do
    ip netns add "$LAB-$ns"
    in_ns $ns ip link set lo up
    in_ns $ns sysctl -qw net.ipv6.conf.default.disable_ipv6=1 # the veths; TAPs come later
done
link anchor access-dpdk tester access 02:00:00:00:a0:01
link anchor core-dpdk tester core 02:00:00:00:a0:02
in_ns anchor sysctl -qw net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.{all,default}.accept_dad=0

mac() { in_ns tester cat "/sys/class/net/$1/address"; }

anchor_up() { # anchor_up [option of the plan ...]
    perf/trex/anchor-host config --bindings $NODES --mags $MAGS "$@" --workers 0 --control 0 --lab "$RUN" \
        --access net_af_packet0,iface=access-dpdk --core net_af_packet1,iface=core-dpdk >"$RUN/anchord.toml"
    rm -rf "$RUN/state" && mkdir "$RUN/state"
    start anchord anchor "$BIN/anchord" --config "$RUN/anchord.toml"
    eventually "anchord's control core answers" ctl port show
    eventually "anchord's TAPs are up" in_ns anchor ip -6 route get 2001:db8:200::2
    perf/trex/anchor-host routes --access-mac "$(mac access)" --core-mac "$(mac core)" | in_ns anchor sh -e
    eventually "anchord knows both next hops" knows_neighbors
}

knows_neighbors() { [[ $(ctl neighbor show | jq length) == 3 ]]; }

measure() { # measure command [option ...]
    in_ns tester env PYTHONPATH=perf/trex/test:perf/trex/test/standin perf/trex/measure "$@" \
        --server core=02:00:00:00:a0:02,access=02:00:00:00:a0:01 --bindings $NODES --mags $MAGS
}

perf/trex/anchor-host config --workers 3,4 --control 2 --access 0000:3b:00.0 --core 0000:3b:00.1 >"$RUN/nic.toml"
expect "the configuration for NICs is valid" "$BIN/anchord" --check --config "$RUN/nic.toml"
for carried in "" "--gre --inner ipv4"; do
    # shellcheck disable=SC2086 # several words
    anchor_up $carried
    # shellcheck disable=SC2086
    measure register --rate 500 $carried | tee "$RUN/register.log" || fail "not every node is forwarded"
    # A line of the kernel's own (a neighbour solicitation, a listener report) may be counted with them.
    at_least "answers" "$(sed -n 's/.*sent, \([0-9]*\) answers/\1/p' "$RUN/register.log")" $NODES
    # shellcheck disable=SC2086
    ctl binding show | perf/trex/test/agrees --bindings $NODES --mags $MAGS $carried ||
        fail "anchord's bindings are not those of the plan"
    equal "updates that were refused" "$(ctl mag show | jq '[.[].pba_refused] | add')" 0
    [[ -n $carried ]] || measure throughput --directions both --sizes 64 --highest 400 --resolution 0.5 \
        --seconds 1 --search-seconds 1 --latency 0 --out "$RUN/results" || fail "no rate without loss"
    stop anchord
done
at_least "packets a second without loss" "$(cut -d, -f6 "$RUN/results/throughput.csv" | tail -1)" 1
