# shellcheck shell=bash
# anchor-mn, the node that moves by itself, whatever its protocol. Sourced by _mobile.sh and _mobile4.sh.

# Starts it with the sections of its protocol, from standard input.
mn_run() {
    {
        cat
        cat <<END
[node]
name = "mn"
interface = "eth0"
[control]
socket = "$RUN/mn.sock"
[log]
filter = "info,anchord=debug"
END
    } >"$RUN/mn.toml"
    start mn mn "$BIN/anchor-mn" run --config "$RUN/mn.toml"
    eventually "anchor-mn answers" mn_is .name mn
}

mn() { "$BIN/anchor-mn" show --socket "$RUN/mn.sock" --json | jq -r "$1"; } # mn jq-expression
mn_is() { [[ $(mn "$1") == "$2" ]]; }                                      # mn_is jq-expression value
mn_counted() { (($(mn ".counters.$1 // 0") >= $2)); }                      # mn_counted name times
