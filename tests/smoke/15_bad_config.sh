#!/bin/bash
# A wrong configuration is refused before anything starts: every fault, each with its path.
. "$(dirname "$0")/_init.sh"

anchord_config >"$RUN/good.toml"
expect "the lab's configuration is valid" "$BIN/anchord" --check --config "$RUN/good.toml"
for sample in dpdk-config/*.toml; do
    expect "$sample is valid" "$BIN/anchord" --check --config "$sample"
done
sed -e 's/^lma_address = .*/lma_address = "ff02::1"/' -e 's/^delegated_len = 64/delegated_len = 129/' \
    -e 's/^hugepages = .*/hugepages = 7/' -e '/^\[control\]/a colour = "blue"' \
    "$RUN/good.toml" >"$RUN/bad.toml"
for option in --check ""; do
    # shellcheck disable=SC2086 # no argument if empty
    "$BIN/anchord" $option --config "$RUN/bad.toml" >"$RUN/faults" 2>&1 && fail "it was taken"
    for path in node.lma_address eal.hugepages control.colour 'pool\[0\].delegated_len'; do
        expect "a fault at $path is reported" grep -q "$path" "$RUN/faults"
    done
done
"$BIN/anchord" --config "$RUN/none.toml" >"$RUN/faults" 2>&1 && fail "a missing file was taken"
expect "the missing file is named" grep -q none.toml "$RUN/faults"
