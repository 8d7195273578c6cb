# shellcheck shell=bash
# strongSwan sets up the security associations (RFC 5213 section 4) when the first update wants to leave, and sets
# them up anew while the session lives on.
# proves: PMIP6-4-2, PMIP6-4-5
# shellcheck source=tests/vm/_esp.sh
. tests/vm/_esp.sh
# shellcheck source=tests/vm/_ike.sh
. tests/vm/_ike.sh
# shellcheck disable=SC2154 # of scripts/setup
[[ -e $vm_ike ]] || skip "strongSwan's packages could not be downloaded"
MAG_KEYS='ipsec = "required"'

refreshed() { (($(mag 1 show --json | jq '.counters.refreshed // 0') >= 1)); }
bound() { [[ $(binding .proxy_coa) == "$MAG1" ]]; }
changed() { [[ $(spis) != "$before" ]]; }
spis() { guest ip -n anchor xfrm state | awk '$1 == "proto" { print $4 }' | sort; }

esp_lab
esp_start
capture ike switch guest1 "ip6 host $LMA and (ip6 proto 50 or ip6 proto 135 or udp port 500 or udp port 4500)"
ike_start anchor anchor.example.org $LMA mag1.example.org "$MAG1"
ike_start gw1 mag1.example.org "$MAG1" anchor.example.org $LMA
mag 1 attach --interface access0 --mn-id "$MN_ID"
eventually "the binding is at gw1" bound
guest ip -n anchor xfrm state | grep -q "sel src $MAG1/128 dst $LMA/128" ||
    fail "the security association is not bound to the gateway's address: $(guest ip -n anchor xfrm state)"
before=$(spis)
swan gw1 --rekey --child signaling >/dev/null
eventually "the security associations are others" changed
mag 1 retry --interface access0
eventually "the binding is refreshed" refreshed
captured ike
equal "messages in the clear" "$(count_frames ike mipv6)" 0
at_least "frames of IKEv2" "$(count_frames ike 'isakmp.version == 0x20')" 4
at_least "frames in ESP" "$(count_frames ike esp)" 4
