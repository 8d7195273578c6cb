# shellcheck shell=bash
# Flow rules on DPDK's tap, carried out by the classifier of the guest's kernel: Mobility Headers come by a queue of
# their own to the control core, past the workers; all else on that port goes to the first worker, which hands over
# what is not its. The port to the correspondents takes no signaling, and its frames go to both.
# shellcheck source=tests/vm/_nic.sh
. tests/vm/_nic.sh
WORKERS=2

tap_lab
nic_start
equal "the ports' driver" "$(port access .driver) $(port core .driver)" "net_tap net_tap"
equal "signaling" "$(port access .signaling) $(port core .signaling)" "flow-rule punt-ring"
punted=$(punted)
sessions $LMA "$MAG2"
equal "updates" "$(counter pbu_received)" $NODES
punted=$(($(punted) - punted))
((punted < NODES)) || fail "workers punted $punted frames: the updates are among them" # others are the kernel's
cross down 1400
cross up 1400
equal "the second worker received, uplink" "$(jq '.[1].rx' "$RUN/workers")" 0
at_least "handed over, uplink" "$(handed_off)" $TIMES
