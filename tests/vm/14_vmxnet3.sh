# shellcheck shell=bash
# Two workers on vmxnet3 NICs, which here put everything on the first queue: its worker hands over what is not its.
# shellcheck source=tests/vm/_nic.sh
. tests/vm/_nic.sh
WORKERS=2

nic_lab 4
mtu_is 9000
nic_start
equal "the NICs' driver" "$(port access .driver) $(port core .driver)" "net_vmxnet3 net_vmxnet3"
equal "steering" "$(port access .steering) $(port core .steering)" "hand-off hand-off"
sessions $LMA "$MAG2"
for bytes in 78 8900; do
    for way in down up; do
        cross $way $bytes
        equal "the second worker received" "$(jq '.[1].rx' "$RUN/workers")" 0
        at_least "handed over, $way" "$(handed_off)" $TIMES
    done
done
