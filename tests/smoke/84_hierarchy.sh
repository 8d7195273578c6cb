#!/bin/bash
# RFC 6612, scenario A.1: gateways manage the care-of address. Nearby the node moves without a binding update, and it
# sends one where it gets another address; the home agent's tunnel is inside of the gateway's.
# workers: 1 2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_scenario.sh
scenario_a1
