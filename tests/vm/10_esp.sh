# shellcheck shell=bash
# Signaling in ESP, transport mode, keys by hand (RFC 5213 section 4): registration, handoff, heartbeats and
# revocation; nothing of it is in the clear. Refused is what is in the clear, of another key, sent again, or in the
# name of another gateway than that of the security association; what the kernel would not protect does not leave.
# proves: PMIP6-4-1, PMIP6-4-2, PMIP6-4-3, PMIP6-5.3.1-1, PMIP6-5.3.6-28, PMIP6-6.9.1.2-2, PMIP6-6.9.1.5-12
# proves: HEARTBEAT-6-1, REVOKE-6.1-1, REVOKE-6.2-3, REVOKE-13-1
# shellcheck source=tests/vm/_esp.sh
. tests/vm/_esp.sh
MAG_KEYS='ipsec = "required"' REVOCATION=true MAG_HEARTBEAT=2s
OTHER=${AUTH//2/f} # another key
FORGED_PBA=3b010600000000200001000100000000 # accepted

bound_at() { [[ $(binding .proxy_coa "${2:-$MN_ID}") == "$1" ]]; } # bound_at proxy-coa [mn_id]
sessions_at() { mag "$1" show --json | jq '.bindings | length'; } # sessions_at 1
unheard() { # unheard "what": no update has come since $updates was noted, and no binding
    equal "updates heard, $1" "$(counter pbu_received)" "$updates"
    equal "bindings, $1" "$(ctl binding show | jq length)" 0
}

esp_lab
protect 1
protect 2
esp_start
capture esp switch guest1 "ip6 host $LMA and (ip6 proto 50 or ip6 proto 135)"
mag 1 attach --interface access0 --mn-id "$MN_ID"
eventually "the binding is at gw1" bound_at "$MAG1"
mag 2 attach --interface access0 --mn-id "$MN_ID" --handoff same-interface
eventually "the binding is at gw2" bound_at "$MAG2"
eventually "gw2 asks whether the anchor lives" counted heartbeat_received 1
ctl binding del "$MN_ID" >/dev/null
eventually "the session is revoked" no_binding
equal "sessions at gw2" "$(sessions_at 2)" 0

# In the name of a gateway, without ESP.
updates=$(counter pbu_received)
clear=$(tests/lab/pbu.py --src "$MAG1" --dst $LMA --mn-id "$MN_ID" --message)
in_ns mag2 tests/lab/inject.py message "$MAG1" $LMA "$clear"
eventually "it is discarded" counted signaling_unprotected 1
unheard "in the clear"
captured esp
equal "messages in the clear, but for the forged one" \
    "$(count_frames esp mipv6) $(count_frames esp "mipv6 && ipv6.hlim == 63")" "1 1"
equal "what tshark finds malformed" "$(decrypted esp '_ws.malformed || _ws.expert.severity == error')" ""
equal "frames in ESP that are not what their keys say" "$(decrypted esp 'esp && !(esp.icv_good == 1)')" ""
types=$(decrypted esp 'esp && mipv6' mip6.mhtype | sort -n | uniq -c | awk '{ printf "%s of type %s, ", $1, $2 }')
at_least "updates in ESP: $types" "$(decrypted esp 'esp && mip6.mhtype == 5' | wc -l)" 2
at_least "acknowledgements in ESP: $types" "$(decrypted esp 'esp && mip6.ba.status == 0' | wc -l)" 2
at_least "heartbeats in ESP: $types" "$(decrypted esp 'esp && mip6.mhtype == 13' | wc -l)" 2
equal "revocations in ESP: $types" "$(decrypted esp 'esp && mip6.mhtype == 16' | wc -l)" 2

# To a gateway, without ESP: its kernel's policy is what refuses it.
xfrm_note gw1 XfrmInTmplMismatch
in_ns mag2 tests/lab/inject.py message $LMA "$MAG1" $FORGED_PBA
eventually "the gateway's kernel refuses it" xfrm_grew gw1 XfrmInTmplMismatch

# The first update of gw2 again.
first=$(frames esp "esp && ipv6.src == $MAG2" | head -1 || true)
tshark -r "$RUN/esp.pcap" -Y "frame.number == $first" -F pcap -w "$RUN/again" 2>/dev/null
xfrm_note anchor XfrmInStateSeqError
in_ns mag2 tests/lab/inject.py frames transit "$RUN/again"
eventually "the kernel refuses the replay" xfrm_grew anchor XfrmInStateSeqError
unheard "sent again"

# The key is another. A new association: the replay window comes before the key.
guest "ip -n gw1 xfrm state delete src $MAG1 dst $LMA proto esp spi 0x1101"
sa "$MAG1" $LMA 0x1103 $AUTH anchor
sa "$MAG1" $LMA 0x1103 "$OTHER" gw1
xfrm_note anchor XfrmInStateProtoError
mag 1 attach --interface access1 --mn-id "$MN2_ID"
eventually "the kernel refuses the other key" xfrm_grew anchor XfrmInStateProtoError
unheard "of another key"

# The anchor's kernel has no policy any more that protects what goes to gw2.
capture bare switch guest1 "ip6 host $LMA and ip6 proto 135"
guest "ip -n anchor xfrm policy delete src $LMA dst $MAG2 proto 135 dir out"
mag 2 attach --interface access1 --mn-id "$MN2_ID"
eventually "the answer does not leave" counted kernel_unprotected 1
policy $LMA "$MAG2" 0x12 out anchor
eventually "the binding is at gw2" bound_at "$MAG2" "$MN2_ID"
captured bare
equal "messages in the clear" "$(count_frames bare mipv6)" 0
mag 2 detach --interface access1
eventually "it is gone" no_binding "$MN2_ID"

# gw2 in the name of gw1, by its own security association.
updates=$(counter pbu_received)
guest "ip -n gw2 xfrm state delete src $MAG2 dst $LMA proto esp spi 0x1201"
sa "$MAG2" $LMA 0x1203 $AUTH anchor
sa "$MAG1" $LMA 0x1203 $AUTH gw2
policy "$MAG1" $LMA 0x12 out gw2
guest "ip -n gw2 address add $MAG1/128 dev lo nodad"
xfrm_note anchor XfrmInStateMismatch
in_guest gw2 "python3 -I -S /exchange.py mh $MAG1 $LMA $clear" && fail "gw2 speaks for gw1"
eventually "the kernel refuses the other name" xfrm_grew anchor XfrmInStateMismatch
unheard "in another's name"
