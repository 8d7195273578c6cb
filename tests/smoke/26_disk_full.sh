#!/bin/bash
# The disk of the state directory is full: nothing is acknowledged that could not be kept, what there is goes on,
# and when there is room again the updates that were waiting are answered. After a kill all of them are there.
. "$(dirname "$0")/_init.sh"
NODES=100

full() { grep -q 'bindings cannot be written' "$RUN/anchord.log"; }
acknowledged() { count_frames access "mip6.mhtype == 6 && ipv6.dst == $MAG1"; }

lab_up
mkdir "$RUN/state"
mount -t tmpfs -o size=1m none "$RUN/state"
anchord_start
mag_start 2
attach 2a
eventually "anchord knows the neighbour mag1" in_ns mag1 ping -c 1 -W 1 -I $MAG1 $LMA
dd if=/dev/zero of="$RUN/state/filler" bs=4k &>/dev/null || true
capture access anchor access-dpdk
start load mag1 "$BIN/anchor-mag" load --lma $LMA --first-mag $MAG1 --mags 1 --nodes $NODES --phases register \
    --lifetime 3600 --retries 10 --json
eventually "the journal complains" full
before=$(acknowledged)
expect "the node reaches cn" reaches
sleep 1
equal "acknowledgements since the disk is full" "$(acknowledged)" "$before"
at_least "updates without an acknowledgement" $((NODES - before)) 50

rm "$RUN/state/filler"
wait "${daemon[load]}" || fail "wrong answers: $(cat "$RUN/load.log")"
unset "daemon[load]"
captured access
stop anchord KILL || true
anchord_start
equal "bindings restored" "$(counter binding_restored)" $((NODES + 1))
