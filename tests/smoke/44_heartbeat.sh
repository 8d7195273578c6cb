#!/bin/bash
# Gateway and anchor notice that the other is gone, and that it restarted.
# proves: HEARTBEAT-3.2-5
. "$(dirname "$0")/_init.sh"
MAG_HEARTBEAT=1s

state() { mag 1 show --json | jq -r '.bindings[0].state'; }
state_is() { [[ $(state) == "$1" ]]; }

captured_heartbeats() { (($(count_frames access "mip6.mhtype == 13 && $1") >= $2)); } # filter at-least

lab_up
anchord_start
mag_start 1
capture access anchor access-dpdk
attach 1a
eventually "mag1 was answered twice" captured_heartbeats 'mip6.hb.r_flag == 1' 2

stop anchord KILL || true
eventually "mag1 gives the session up" state_is registering
anchord_start
eventually "mag1 has it again" state_is bound
eventually "cn answers mn" reaches

stop mag1 KILL || true
mag_start 1
eventually "mag1 tells the anchor that it lost its sessions" captured_heartbeats 'mip6.hb.u_flag == 1' 1
captured access
solicit
eventually "the node is bound" binding_is_at $MAG1
