#!/bin/bash
# The gateway extends the lifetime in time; the binding stays the same one and traffic goes on.
# proves: PMIP6-5.3.3-1, PMIP6-5.3.3-2
MAX_LIFETIME=8s
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
attach 1a
prefix=$(binding '.hnp[0]')
stream_start 12
eventually "two refreshes" counted binding_refreshed 2
stream_end
expect "the binding is at mag1" binding_is_at $MAG1
equal "the prefix" "$(binding '.hnp[0]')" "$prefix"
equal "handoffs" "$(binding .handoffs)" 0
equal "lost uplink" "$(stream uplink lost)" 0
equal "lost downlink" "$(stream downlink lost)" 0
at_least "refreshes by the same gateway" "$(counter binding_refreshed)" 2
