#!/bin/bash
# anchord is killed and started again: the binding is there, and traffic flows without a word from the
# gateway.
# proves: PMIP6-5.1-1
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
attach 1a
prefix=$(binding '.hnp[0]')
expect "the node reaches cn" reaches
stop anchord KILL || true
capture access anchor access-dpdk
anchord_start
equal "bindings restored" "$(counter binding_restored)" 1
equal "the prefix" "$(binding '.hnp[0]')" "$prefix"
expect "the binding is at mag1" binding_is_at $MAG1
eventually "the node reaches cn again" reaches
captured access
equal "PBUs since the start" "$(count_frames access 'mip6.mhtype == 5')" 0
