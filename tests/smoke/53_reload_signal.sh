#!/bin/bash
# SIGHUP reloads as `anchorctl config reload` does: a gateway that is added may register, one that is gone
# may not, and keeps its session until it ends; a faulty file changes nothing and ends nothing.
. "$(dirname "$0")/_init.sh"

MAG3=2001:db8:a::13
pbu() { in_ns mag1 tests/lab/pbu.py --dst $LMA "$@" | jq .status; }
hangup() { kill -HUP "${daemon[anchord]}"; }

lab_up
address mag1 transit $MAG3/64
anchord_start
equal "mag2's session" "$(in_ns mag2 tests/lab/pbu.py --src $MAG2 --dst $LMA --mn-id mn7 | jq .status)" 0
equal "status of an unknown gateway" "$(pbu --src $MAG3 --mn-id mn8)" 154

echo 'colour = "blue"' >>"$RUN/anchord.toml"
hangup
eventually "the faulty file is counted" counted config_refused 1
expect "the log names the line" grep -q "anchord.toml:$(wc -l <"$RUN/anchord.toml"):" "$RUN/anchord.log"

anchord_config | sed -e "s/\"$MAG2\"/\"$MAG3\"/" -e 's/name = "mag2"/name = "mag3"/' >"$RUN/anchord.toml"
hangup
eventually "the file is in force" counted config_reloaded 1
equal "status of the new gateway" "$(pbu --src $MAG3 --mn-id mn8 --seq 2)" 0
gone='select(.address == "'$MAG2'") | [.authorized, .bindings]'
equal "the gateway that is gone" "$(ctl mag show | jq -c ".[] | $gone")" '[false,1]'
refused=$(in_ns mag2 tests/lab/pbu.py --src $MAG2 --dst $LMA --mn-id mn6 | jq .status)
equal "its status" "$refused" 154
ctl binding del mn7 >/dev/null
eventually "it is forgotten with its session" eval '! ctl mag show | jq -e ".[] | $gone" >/dev/null'
