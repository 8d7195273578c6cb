#!/bin/bash
# A gateway that is not authorized is refused (status 154), and neither takes a node over nor sends a
# packet. Its messages are made by scapy.
# proves: PMIP6-5.3.1-6, PMIP6-5.3.1-7
. "$(dirname "$0")/_init.sh"
ROGUE=2001:db8:a::66

lab_up
anchord_start
mag_start 1
attach 1a
address mag2 transit $ROGUE/64
pbu() { in_ns mag2 tests/lab/pbu.py --dst $LMA "$@"; }

answer=$(pbu --src $ROGUE --mn-id "$MN_ID" --handoff 3 --prefix "$(binding '.hnp[0]')")
equal "status for the rogue" "$(jq .status <<<"$answer")" 154
equal "the identifier comes back" "$(jq -r .mn_id <<<"$answer")" "$MN_ID"
answer=$(pbu --src $ROGUE --mn-id "$MN_ID" --lifetime 0)
expect "its de-registration has no effect" test "$(jq .status <<<"$answer")" != 0
expect "the binding stays at mag1" binding_is_at $MAG1
expect "the node still reaches cn" reaches
equal "status without an identifier" "$(pbu --src $MAG2 | jq .status)" 160
equal "status of an old timestamp" "$(pbu --src $MAG2 --mn-id other --age 60 | jq .status)" 156
equal "updates refused" "$(counter pbu_refused)" 4
equal "bindings" "$(ctl binding show | jq length)" 1
