# shellcheck shell=bash
# Two workers on virtio NICs. Downlink the NIC's hash finds the worker that owns the node: none is handed over.
# Uplink it does not see the packet in the tunnel: workers hand over what is not theirs. All arrive, of IPv6 and of
# IPv4, which the hash does not spread; frames of 9000 bytes too.
# shellcheck source=tests/vm/_nic.sh
. tests/vm/_nic.sh
WORKERS=2

nic_lab 0
mtu_is 9000
nic_start
equal "the NICs' driver" "$(port access .driver) $(port core .driver)" "net_virtio net_virtio"
equal "steering" "$(port access .steering) $(port core .steering)" "hand-off rss"
equal "signaling, without flow rules" "$(port access .signaling)" punt-ring
punted=$(punted)
sessions $LMA "$MAG2" --ipv4-share 100
at_least "frames punted, with the updates" $(($(punted) - punted)) $NODES
for bytes in 78 8900; do
    cross down $bytes
    equal "handed over, downlink" "$(handed_off)" 0
    equal "workers with packets of nodes" "$(jq "map(select(.rx >= $TIMES)) | length" "$RUN/workers")" 2
    cross up $bytes
    at_least "handed over, uplink" "$(handed_off)" $TIMES
done
cross down 78 --correspondents $CN_IPV4 $CN_LINK_IPV4
cross up 78 --correspondents $CN_IPV4 $CN_LINK_IPV4
