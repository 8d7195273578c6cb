# shellcheck shell=bash
# Two workers on vmxnet3 NICs, which here put everything on the first queue: its worker hands over what is not its.
# shellcheck source=tests/vm/_nic.sh
. tests/vm/_nic.sh
WORKERS=2

nic_lab 4
nic_start
equal "the NICs' driver" "$(port access .driver) $(port core .driver)" "net_vmxnet3 net_vmxnet3"
equal "steering" "$(port access .steering) $(port core .steering)" "hand-off hand-off"
sessions
for way in down up; do
    cross $way 1400
    at_least "handed over, $way" "$(handed_off)" $TIMES
done
