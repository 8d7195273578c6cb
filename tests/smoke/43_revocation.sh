#!/bin/bash
# The operator deletes a binding: the gateway is told, ends the session and tells the node. The node comes to
# another gateway by another interface: the old one is asked, finds that it left, and the session moves.
# proves: REVOKE-6.1.2-1, REVOKE-9.1-7
. "$(dirname "$0")/_init.sh"
REVOCATION=true

sessions() { mag 1 show --json | jq '.bindings | length'; }
no_session() { [[ $(sessions) == 0 ]]; }
no_default_route() { [[ $(in_ns mn ip -6 -j route show default | jq length) == 0 ]]; }

lab_up
anchord_start
mag_start 1
attach 1a
equal "mag1's sessions" "$(sessions)" 1
capture access anchor access-dpdk
ctl binding del $MN_ID
eventually "mag1 has no session" no_session
equal "mag1's sessions after the revocation" "$(sessions)" 0
eventually "the node has no default router" no_default_route
captured access
equal "indications" "$(count_frames access 'mip6.mhtype == 16 && mip6.bri_br.type == 1')" 1
equal "acknowledgements: success" "$(count_frames access 'mip6.mhtype == 16 && mip6.bri_status == 0')" 1
equal "revocations at mag1" "$(mag 1 show --json | jq .counters.revoked)" 1
solicit
eventually "the node is bound again" binding_is_at $MAG1

prefix=$(binding '.hnp[0]')
mag_start 2
capture moved anchor access-dpdk
unplug mn eth0
plug 2a mn eth1
solicit mn eth1
eventually "the binding is at mag2" binding_is_at $MAG2
captured moved
equal "the prefix at mag2" "$(binding '.hnp[0]')" "$prefix"
equal "mag1's sessions after the handoff" "$(sessions)" 0
equal "triggers" "$(frames moved 'mip6.mhtype == 16 && mip6.bri_br.type == 1' mip6.bri_r.trigger)" 4

# All nodes of a realm, wherever they are.
capture realm anchor access-dpdk
ctl realm del example.org --mag $MAG1
ctl realm del example.net
sessions_are 1 || fail "a session of another realm or gateway ended"
ctl realm del EXAMPLE.org
eventually "no session of the realm is left" no_binding
captured realm
equal "triggers of a realm" "$(frames realm 'mip6.mhtype == 16 && mip6.bri_br.type == 1' mip6.bri_r.trigger)" 129
equal "answers: success" "$(count_frames realm 'mip6.mhtype == 16 && mip6.bri_status == 0')" 1
