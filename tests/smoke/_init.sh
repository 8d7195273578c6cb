# shellcheck shell=bash
# What every smoke test begins with: . "$(dirname "$0")/_init.sh"
# Sources the lab, keeps daemons by name, asserts. When the test ends, in whatever way, everything
# that it started is removed; if it failed, the logs are shown.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/smoke/_lab.sh
. tests/smoke/_lab.sh

BIN=${BIN:-target/debug}
WORKERS=${WORKERS:-1}
LAB_HUGEPAGES=${LAB_HUGEPAGES:-false}
LAB_CPU=${LAB_CPU:-0} # anchord's; tests may run beside each other
MN_ID=mn1@example.org MN2_ID=mn2@example.org
RUN=$(mktemp -d "/tmp/$LAB.XXXX") # configurations, logs, captures, sockets
declare -A daemon=()              # name -> process id of what must be running

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

at_end() { :; } # whoever sources this may have more to remove

finish() {
    local status=$?
    trap - EXIT
    trap '' INT TERM
    ((status != 0)) || daemons_run || status=1
    wires_end
    ((status != 0)) || captures_are_sound || status=1
    if ((status != 0 && status != 77)); then
        local log
        for log in "$RUN"/*.log; do
            [[ ! -s $log ]] || { echo "--- ${log##*/}" && tail -60 "$log"; } >&2
        done
    fi
    lab_down
    ! mountpoint -q "$RUN/state" || umount -l "$RUN/state"
    if [[ -n ${KEEP:-} ]]; then echo "kept: $RUN" >&2; else rm -rf "$RUN"; fi
    at_end
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- daemons

start() { # start name namespace command ...
    ip netns exec "$LAB-$2" "${@:3}" >>"$RUN/$1.log" 2>&1 </dev/null &
    daemon[$1]=$!
}

# Ends one and returns its exit status.
stop() { # stop name [signal]
    local pid=${daemon[$1]}
    unset "daemon[$1]"
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null
}

daemons_run() {
    local name
    for name in "${!daemon[@]}"; do
        kill -0 "${daemon[$name]}" 2>/dev/null || { echo "$name died" >&2 && return 1; }
    done
}

# --- assertions

PATIENCE=20 # seconds

# Waits until a command succeeds; fails after $PATIENCE, or at once when a daemon has died.
eventually() { # eventually "what should be" command ...
    local deadline=$((SECONDS + PATIENCE))
    until "${@:2}" &>/dev/null; do
        daemons_run || fail "while waiting until $1"
        ((SECONDS < deadline)) || fail "it did not come true in $PATIENCE s: $1"
        sleep 0.1
    done
}

expect() { # expect "what should be" command ...
    "${@:2}" || fail "$1 (${*:2})"
}

equal() { # equal "what" found wanted
    [[ $2 == "$3" ]] || fail "$1 is '$2', not '$3'"
}

at_least() { # at_least "what" found wanted
    (($2 >= $3)) || fail "$1 is $2, less than $3"
}

# --- captures

capture() { # capture name namespace interface [filter ...]
    rm -f "$RUN/tcpdump-$1.log" # an earlier capture of this name was listening too
    start "tcpdump-$1" "$2" tcpdump -U --immediate-mode -i "$3" -w "$RUN/$1.pcap" "${@:4}"
    eventually "tcpdump listens" grep -q 'listening on' "$RUN/tcpdump-$1.log"
}

# Ends a capture when its file is complete: a signal ends tcpdump before it has read all.
captured() { # captured name
    poll 20 all_read "$1" || true
    stop "tcpdump-$1" INT || true
}

# Whether tcpdump has written all that its filter let pass: it says so when it is asked.
all_read() { # all_read name
    kill -USR1 "${daemon[tcpdump-$1]}"
    sleep 0.05
    tail -1 "$RUN/tcpdump-$1.log" | awk '{ exit $2 != $5 }'
}

# What tshark shows of the frames of a capture that pass a filter, a line a frame.
frames() { # frames name filter [field ...]
    local field fields=()
    for field in "${@:3}"; do fields+=(-e "$field"); done
    ((${#fields[@]} > 0)) || fields=(-e frame.number)
    tshark -n -d udp.port==5437,ip -r "$RUN/$1.pcap" -Y "$2" -T fields "${fields[@]}" 2>/dev/null
}

count_frames() { # count_frames name filter
    frames "$1" "$2" | wc -l
}

# Everything that anchord and the gateways send, from the lab's beginning: wire.pcap has each frame of
# the access side once, core.pcap those that come to the correspondent. A test that floods says what of
# it is worth keeping: WIRES_FILTER.
wires_captured() {
    local at
    for at in "wire switch" "core cn"; do
        # shellcheck disable=SC2086 # words
        set -- $at
        # shellcheck disable=SC2086
        start "tcpdump-$1" "$2" tcpdump -B 16384 -i any -Q in -w "$RUN/$1.pcap" ${WIRES_FILTER:-}
        eventually "tcpdump listens" grep -q 'listening on' "$RUN/tcpdump-$1.log"
    done
}

wires_end() {
    local name
    for name in wire core; do
        [[ -z ${daemon[tcpdump-$name]:-} ]] || stop "tcpdump-$name" INT || true
    done
}

# tshark finds no fault with what was captured. tests/smoke/run collects the captures of all tests in
# $CAPTURES and looks at them in the end.
captures_are_sound() {
    compgen -G "$RUN/*.pcap" >/dev/null || return 0
    if [[ -n ${CAPTURES:-} ]]; then
        mkdir -p "$CAPTURES"
        mv "$RUN"/*.pcap "$CAPTURES"
        [[ ! -e $RUN/anchord.log ]] || cp "$RUN/anchord.log" "$CAPTURES"
    else
        # Ended by a signal it does not wait for tshark, which reads a long capture for minutes.
        local status=0
        tests/lab/dissect "$RUN" >"$RUN/dissect.log" &
        trap 'kill $!' INT TERM
        wait $! || status=$?
        trap '' INT TERM
        return $status
    fi
}

# shellcheck source=tests/smoke/_anchor.sh
. tests/smoke/_anchor.sh
