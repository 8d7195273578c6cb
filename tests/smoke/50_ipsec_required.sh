#!/bin/bash
# A gateway of which IPsec is required gets nothing without: no acknowledgement, no answer to a heartbeat or a
# revocation, over IPv6 and IPv4; nor by a message that comes to the kernel's sockets without ESP.
# proves: PMIP6-4-1, REVOKE-6.2-3
. "$(dirname "$0")/_init.sh"
LAB_IPV4=true MAG_KEYS='ipsec = "required"'

is_refused() { (($(refused_by_policy) == before + 1)); }
refused_by_policy() { in_ns anchor awk '$1 == "XfrmInTmplMismatch" { print $2 }' /proc/net/xfrm_stat; }

lab_up
anchord_start
capture access anchor access-dpdk
pbu() { in_ns mag2 tests/lab/pbu.py --mn-id "$MN_ID" --wait 1 "$@"; }
equal "answer to an update" "$(pbu --src $MAG2 --dst $LMA | jq .status)" null
equal "answer over IPv4" "$(pbu --src $MAG2_IPV4 --dst $LMA_IPV4 | jq .status)" null
peer() { in_ns mag2 tests/lab/peer.py --src $MAG2 --dst $LMA "$@"; }
equal "answer to a heartbeat" "$(peer heartbeat --wait 1 | jq .status)" null
equal "answer to a revocation" "$(peer bri --mn-id "$MN_ID" --wait 1 | jq .status)" null
equal "discarded" "$(counter signaling_unprotected)" 4
captured access
equal "messages of the gateway" "$(count_frames access "mipv6 && (ipv6.src == $MAG2 || ip.src == $MAG2_IPV4)")" 4
equal "messages of the anchor" "$(count_frames access "mipv6 && (ipv6.src == $LMA || ip.src == $LMA_IPV4)")" 0

# The workers do not see what comes by another interface of the machine: its kernel's policies may be anything.
message=$(tests/lab/pbu.py --src $MAG2 --dst $LMA --mn-id "$MN_ID" --message)
before=$(refused_by_policy)
in_ns anchor tests/lab/inject.py message $MAG2 $LMA "$message"
eventually "the socket's policy refuses it" is_refused
equal "taken out of ESP" "$(counter ipsec_rx)" 0
equal "updates, bindings" "$(counter pbu_received) $(ctl binding show | jq length)" "0 0"
