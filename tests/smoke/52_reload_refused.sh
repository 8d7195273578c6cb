#!/bin/bash
# A file with a fault changes nothing, and is told where the fault is; what needs a restart is named, and
# stays as it runs, while the rest is put in force.
. "$(dirname "$0")/_init.sh"

in_force() { ctl config show | jq -r "$1"; }
refused() { # refused "what" line-of-the-fault
    local verb
    for verb in reload diff; do
        ctl config $verb >"$RUN/out" 2>"$RUN/err" && fail "$1 was taken by $verb"
        expect "$verb tells the place of $1" grep -qF "$2" "$RUN/err"
    done
}

lab_up
anchord_start
mag_start 1
attach 1a
before=$(ctl config show)
cp "$RUN/anchord.toml" "$RUN/good.toml"

sed -e 's/^max_delay_before_new_bce_assign = .*/max_delay_before_new_bce_assign = "2s"/' \
    -e '/^name = "mag2"/,/^revocation/ s/^tunnel_mtu = .*/tunnel_mtu = 70000/' "$RUN/good.toml" >"$RUN/anchord.toml"
line=$(grep -n 'tunnel_mtu = 70000' "$RUN/anchord.toml" | cut -d: -f1)
refused "a faulty file" "$RUN/anchord.toml:$line: mag[1].tunnel_mtu: 70000 is above"

sed -e 's|^max_bindings = 10_000|&\nnodes_file = "nodes"|' "$RUN/good.toml" >"$RUN/anchord.toml"
printf '%s\n' "$MN_ID" mn2@example.org,maybe >"$RUN/nodes"
refused "a faulty file of nodes" "$RUN/nodes:2: enabled: \"maybe\" is neither yes nor no"

rm "$RUN/anchord.toml"
refused "a missing file" "$RUN/anchord.toml: cannot be read"
expect "nothing has changed" test "$(ctl config show)" = "$before"
equal "reloads" "$(counter config_reloaded) $(counter config_refused)" "0 3"
expect "the log says so" grep -q 'not reloaded: nothing has changed' "$RUN/anchord.log"
expect "the node reaches cn" reaches

sed -e 's/^ring_len = .*/ring_len = 2048/' -e 's/^timestamp_validity_window = .*/timestamp_validity_window = "7s"/' \
    "$RUN/good.toml" >"$RUN/anchord.toml"
ctl config reload >"$RUN/changes.json"
equal "what needs a restart" "$(jq -c '[.changes[] | select(.restart) | [.key, .running, .file]]' "$RUN/changes.json")" \
    '[["worker.ring_len","1024","2048"]]'
equal "in force" "$(in_force .worker.ring_len) $(in_force .timer.timestamp_validity_window)" "1024 7s"
"$BIN/anchorctl" --socket "$RUN/anchord.sock" config diff >"$RUN/out"
equal "what is left" "$(cat "$RUN/out")" "! worker.ring_len: 1024 -> 2048  (needs a restart)"
expect "the node reaches cn" reaches
