#!/bin/bash
# The node comes back, at another gateway, within the delete delay: it is the same session, with the
# same prefix, and it is not deleted when the delay would have ended.
# proves: PMIP6-5.3.5-6
DELETE_DELAY=4s
. "$(dirname "$0")/_init.sh"

lab_up
anchord_start
mag_start 1
mag_start 2
attach 1a
node=$(node_address)
detach 1a
eventually "the binding waits for its deletion" binding_is deleting
attach 2a
expect "the binding is at mag2" binding_is_at $MAG2
equal "the node's address" "$(node_address)" "$node"
stream_start 6 # longer than the delay
stream_end
expect "the binding is at mag2 still" binding_is_at $MAG2
equal "lost uplink" "$(stream uplink lost)" 0
equal "lost downlink" "$(stream downlink lost)" 0
equal "revived" "$(counter binding_revived)" 1
