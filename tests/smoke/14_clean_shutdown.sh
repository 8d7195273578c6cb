#!/bin/bash
# SIGTERM and SIGINT end anchord with status 0; its TAPs are gone, and bindings are kept.
. "$(dirname "$0")/_init.sh"

lab_up
mag_start 1
for signal in TERM INT; do
    anchord_start
    [[ $signal == INT ]] || attach 1a
    expect "anchord ends well at SIG$signal" stop anchord $signal
    for tap in access core; do
        in_ns anchor ip link show $tap 2>/dev/null && fail "the TAP $tap is still there"
    done
    [[ ! -e $RUN/anchord.sock ]] || fail "the socket is still there"
done
anchord_start
expect "the binding was kept" binding_is_at $MAG1
eventually "the node reaches cn" reaches
