#!/bin/bash
# A program is asked what nodes may do. It answers late, never and wrongly, dies and comes back: nodes wait for
# their own answer only, who gets none in time is refused with status 130, and no session is lost.
# proves: PMIP6-6.2-1, PMIP6-5.3.1-8
. "$(dirname "$0")/_init.sh"
POLICY="socket = '$RUN/policy.sock'
timeout = '5s'"

store_start() { start store anchor tests/lab/policy.py "$RUN/policy.sock"; }
store() { ctl policy show | jq -r ".[0].$1"; }
store_is() { [[ $(store "$1") == "$2" ]]; } # store_is field value
questions() { jq -r "select(.params.mn_id == \"$1\") | .id" "$RUN/store.log" | wc -l; } # questions mn_id
pbu() { in_ns mag2 tests/lab/pbu.py --src $MAG2 --dst $LMA --wait 20 "$@"; }
status() { pbu --mn-id "$@" | jq .status; }
asked_for() { # asked_for mn_id ...: in the background; the answers come to $RUN/MN_ID.ack
    local mn_id
    for mn_id in "$@"; do pbu --mn-id "$mn_id" >"$RUN/$mn_id.ack" & done
}
got() { # got mn_id status
    eventually "$1 is answered" test -s "$RUN/$1.ack"
    equal "status for $1" "$(jq .status "$RUN/$1.ack")" "$2"
}

lab_up
store_start
anchord_start
eventually "anchord has found the program" store_is connected true

# A real gateway and a node.
mag_start 1
attach 1a
equal "prefixes that the program granted" "$(binding '.hnp | length')" 2
equal "lifetime that it granted, in seconds" "$(binding .lifetime_s)" 600
expect "the node reaches cn" reaches

# Who waits does not keep others waiting.
asked_for never late plain none error pool twice wrong json static
got plain 0
expect "another one waits still" test ! -s "$RUN/never.ack"
got late 0
got none 153  # a node of nobody
got error 130 # there is no answer
got pool 130  # of a pool that there is not
got twice 0
got static 0
equal "prefix of a node that has its own" "$(jq -r '.prefixes[0]' "$RUN/static.ack")" 2001:db8:7777::/56
got never 130
got wrong 130
got json 130
equal "questions about a node" "$(questions late)" 1
at_least "answers to nothing" "$(store stray)" 2
at_least "lines that are no answer" "$(store unusable)" 2
equal "status where a line does not end" "$(status huge)" 130
eventually "it is connected again" store_is connected true
at_least "connections" "$(store connections)" 2

# It dies. Sessions go on; a question that was put is put again to the next one.
stop store KILL || true
eventually "anchord has noticed" store_is connected false
mag 1 retry --interface access0
eventually "the session is refreshed" counted binding_refreshed 1
equal "status for the refresh of a session" "$(status plain --handoff 3)" 0
equal "status for a new node" "$(status new)" 130
parked=$(counter pbu_parked)
asked_for patient
eventually "a node waits for nobody" counted pbu_parked $((parked + 1))
store_start
got patient 0
eventually "it is connected" store_is connected true
equal "status for the new node now" "$(status new)" 0
equal "updates that wait" "$(store waiting)" 0
expect "the node reaches cn" reaches
