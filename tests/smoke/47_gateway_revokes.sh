#!/bin/bash
# A gateway made by scapy. It does not answer when its session is revoked: it is told twice, then the session ends.
# It revokes all its sessions by its identity, and is refused with another one.
# proves: REVOKE-6.3-1, REVOKE-6.3-3, REVOKE-8.2-5, REVOKE-8.2-6
. "$(dirname "$0")/_init.sh"
REVOCATION=true
MAG_KEYS='revocation_identity = "mag@example.org"'

lab_up
anchord_start
pbu() { in_ns mag2 tests/lab/pbu.py --src $MAG2 --dst $LMA "$@"; }
equal "registered by scapy" "$(pbu --mn-id silent@example.org | jq .status)" 0
sent=$(counter bri_sent)
ctl binding del silent@example.org >/dev/null
expect "it is held at once" binding_is deleting silent@example.org
eventually "it ends without an answer" no_binding silent@example.org
equal "indications to the silent gateway" "$(($(counter bri_sent) - sent))" 2
equal "unanswered" "$(counter revocation_unanswered)" 1

for n in 1 2 3; do equal "registered" "$(pbu --mn-id "mn$n@example.com" | jq .status)" 0; done
bri() { in_ns mag2 tests/lab/peer.py --src $MAG2 --dst $LMA bri "$@"; }
equal "another identity" "$(bri --trigger 128 --flags PG --mn-id mag9@example.org | jq .status)" 130
equal "no such node" "$(bri --trigger 5 --flags P --seq 2 --mn-id nobody@example.com | jq .status)" 128
equal "all its sessions" "$(bri --trigger 128 --flags PG --seq 3 --mn-id mag@example.org | jq .status)" 0
equal "sessions left" "$(ctl binding show | jq length)" 0
