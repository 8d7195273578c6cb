#!/bin/bash
# scripts/demo shows a scenario to its end; where a node does not do what the scenario says, its exit status tells, and
# nothing of it is left.
. "$(dirname "$0")/_init.sh"

demo() { # demo programs: its exit status
    local status=0 pid
    BIN=$1 scripts/demo --scenario a2 &>"$RUN/demo" </dev/null &
    pid=$!
    wait $pid || status=$?
    equal "namespaces that it left" "$(ip netns list | grep -c "^anchor-demo$pid-")" 0
    return $status
}

demo "$BIN" || { cat "$RUN/demo" && fail "it ended with status $?"; }
equal "movements that it sums up" "$(grep -c ', uplink: [0-9]* sent' "$RUN/demo")" 4
mkdir "$RUN/bin"
for program in anchord anchorctl anchor-mag lab-stream; do ln -s "$PWD/$BIN/$program" "$RUN/bin"; done
ln -s /bin/false "$RUN/bin/anchor-mn"
! demo "$RUN/bin" || fail "it did not notice that there was no node"
expect "it says why" grep -q 'FAILED: .*anchor-mn answers' "$RUN/demo"
