#!/bin/bash
# Gateway and anchor share a key: a session begins, is refreshed and moves; a gateway with another key gets none.
# proves: AUTH-5.1.1-1, AUTH-5.1.1-2
. "$(dirname "$0")/_init.sh"
MAG_KEY=$RUN/lab.key
MAG_KEYS="[[mag.auth]]
spi = 256
key_file = '$MAG_KEY'
replay_window = '7s'"
key "$MAG_KEY" 5e

counted_at() { (($(mag "$1" show --json | jq ".counters.$2 // 0") >= 1)); } # counted_at 1 counter

lab_up
anchord_start
mag_start 1
capture access anchor access-dpdk
attach 1a
mag 1 retry --interface access0
eventually "the binding is refreshed" counted_at 1 refreshed
captured access
at_least "updates and acknowledgements" "$(count_frames access 'mip6.mhtype in {5, 6}')" 4
equal "those without the option" "$(count_frames access 'mip6.mhtype in {5, 6} && !(mip6.auth.mobility_spi == 256)')" 0

MAG_KEY=$RUN/other.key
key "$MAG_KEY" 5f
mag_start 2
plug 2a
in_ns mn tests/lab/solicit.py eth0 2 && fail "an advertisement from a gateway without the key"
eventually "mag2's update was not authentic" counted_at 2 pba_unauthenticated
expect "the binding stays at mag1" binding_is_at $MAG1
