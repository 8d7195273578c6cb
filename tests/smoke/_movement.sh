# shellcheck shell=bash
# A movement while streams run, told in plain words: what scenarios have in common. Whatever a scenario claims it asserts;
# scripts/demo shows the same. $RUN/movements gets a JSON object for each movement and stream, $RUN/bindings the bindings.
# Sourced behind _init.sh.

streams=() # "namespace address to-namespace to-address" of what runs during movements
began=$SECONDS
declare -F step >/dev/null || step() { echo "$((SECONDS - began)) s: $*"; }

# As lab-stream writes it.
socket() { if [[ $1 == *:* ]]; then echo "[$1]:$2"; else echo "$1:$2"; fi; } # socket address port

# A packet each way for each stream.
both_ways() {
    local from address to far
    while read -r from address to far; do
        in_ns "$from" ping -c 1 -W 1 -I "$address" "$far" && in_ns "$to" ping -c 1 -W 1 -I "$far" "$address" || return
    done < <(printf '%s\n' "${streams[@]}")
}

# Carries out a movement while all streams run. Packets pass both ways before it and after it.
movement() { # movement "what" command ...
    local i from address to far
    eventually "packets pass both ways before: $1" both_ways
    for i in "${!streams[@]}"; do
        read -r from address to far <<<"${streams[i]}"
        [[ -n ${daemon[reflector$i]:-} ]] ||
            start "reflector$i" "$to" "$BIN/lab-stream" reflect --listen "$(socket "$far" $((5213 + i)))"
        : >"$RUN/stream$i.log"
        start "stream$i" "$from" "$BIN/lab-stream" run --to "$(socket "$far" $((5213 + i)))" \
            --from "$(socket "$address" 0)" --rate 100 --seconds 60
        eventually "the stream flows" grep -q flows "$RUN/stream$i.log"
    done
    step "$1"
    "${@:2}"
    eventually "packets pass both ways after: $1" both_ways
    for i in "${!streams[@]}"; do kill -TERM "${daemon[stream$i]}"; done # all at once: each waits for what is late
    for i in "${!streams[@]}"; do
        read -r from address to far <<<"${streams[i]}"
        wait "${daemon[stream$i]}" || fail "the stream from $from to $to did not end well: $1"
        unset "daemon[stream$i]"
        tail -1 "$RUN/stream$i.log" | jq -c --arg what "$1" --arg stream "$from - $to" '{what: $what, stream: $stream} + .' \
            >>"$RUN/movements"
        expect "a stream both ways during: $1" jq -es 'last | .uplink.received > 0 and .downlink.received > 0 and
            .uplink.duplicated + .downlink.duplicated == 0' "$RUN/movements" >/dev/null
    done
    show_bindings "$1"
}

show_bindings() { # show_bindings "when"
    {
        echo "$1"
        ctl binding show --counters | jq -r '.[] | "    \(.kind) \(.mn_id): \(.state) at \(.proxy_coa), \(.hnp | join(" ")), " +
            "\([.counters[].downlink_packets] | add // 0) packets down, \([.counters[].uplink_packets] | add // 0) up"'
    } | tee -a "$RUN/bindings" | sed '1d;s/^ */       /'
}
